"""What arrives, as it arrives: the polled list held open, and streams of events (rest-api 3.4)."""

from __future__ import annotations

from dataclasses import replace

from common.domain.metadata import Metadata
from common.rest.openapi.model import JSON, Answer, AnyOf, Content, Operation, Parameter, flag, header
from common.rest.openapi.objects import IF_NONE_MATCH, NOT_MODIFIED, ORG, TYPE
from common.rest.openapi.paging import PAGE, link
from common.rest.openapi.shapes import ObjectWithPolicy

TAG = "Arrivals"

_STREAM = {"text/event-stream": Content({"type": "string"})}
_RESUME = header("Last-Event-ID", "Go on after this event of an earlier stream.")
_WAIT = header(
    "Prefer",
    "`wait=N`: up to N seconds (60 at most) for something to list, or for a list that differs from If-None-Match.",
    example="wait=30",
)


def arrival_operations(*, is_cloud: bool) -> list[Operation]:
    """What applications poll, wait for or listen to."""
    org = (ORG,) if is_cloud else ()
    return [_polled(org), _stream(org)]


def _polled(org: tuple[Parameter, ...]) -> Operation:
    listed = {JSON: Content(AnyOf((list[Metadata], list[ObjectWithPolicy]))), **_STREAM}
    fields = {"ETag": "Of a list short enough to have one.", "Preference-Applied": "`wait`, with Prefer."}
    return Operation(
        "get",
        "/api/v1/objects/{org}/{type}" if org else "/api/v1/objects/{type}",
        "listObjects",
        TAG,
        "Objects that arrived, or all of a type",
        (
            link(
                Answer(
                    200,
                    "What arrived and was not used up; with `all_objects` all, and where they went.",
                    listed,
                    fields,
                )
            ),
            NOT_MODIFIED,
        ),
        "An object stays in the list until its status changes. 404 with an empty body when there is nothing to list. "
        "With `Accept: text/event-stream` everything listed, then each change as it happens.",
        (
            *org,
            TYPE,
            flag("received", "Also those marked received."),
            flag("all_objects", "Every object of the type, whatever its status."),
            *PAGE,
            _WAIT,
            replace(IF_NONE_MATCH, description="Only if the list differs from this one."),
            _RESUME,
        ),
        refusals=(404, 412),
    )


def _stream(org: tuple[Parameter, ...]) -> Operation:
    types = Parameter(
        "query",
        "type",
        "Which types; may be repeated.",
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 32},
        is_required=True,
        example=["model"],
    )
    return Operation(
        "get",
        "/api/v1/events/{org}" if org else "/api/v1/events",
        "streamEvents",
        TAG,
        "Objects of several types as they arrive",
        (Answer(200, "Server-sent events; `data` is the metadata.", _STREAM),),
        "Everything listed for these types, then each change as it happens.",
        (*org, types, flag("received", "Also those marked received."), _RESUME),
    )
