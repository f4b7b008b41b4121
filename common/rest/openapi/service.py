"""The service itself: health, supervision, its own description."""

from __future__ import annotations

from typing import Literal

from common.rest.openapi.model import DONE, JSON, TEXT, Answer, Content, Operation, flag, json_answer, query
from common.rest.openapi.shapes import Health

TAG = "Service"

#: Known clients send either.
_RESEND: tuple[tuple[Literal["post", "put"], str], ...] = (("post", "resend"), ("put", "resendByPut"))

_HEALTH_EXAMPLE = {
    "general": {"nodeType": "CSS", "healthStatus": "green", "upTime": 42},
    "dbHealth": {"dbStatus": "green", "disconnectedFromDB": False, "dbReadFailures": 0, "dbWriteFailures": 0},
}


def service_operations(*, is_cloud: bool) -> list[Operation]:
    """What a service answers about itself, and what it can be told to do."""
    return [*_health(), *_orders(is_cloud=is_cloud), *_own_description()]


def _health() -> list[Operation]:
    words = {TEXT: Content({"type": "string"}, "ok\n")}
    return [
        Operation(
            "get",
            "/api/v1/health",
            "getHealth",
            TAG,
            "How the service is",
            (json_answer(Health, "The colours tell; the status is always 200.", _HEALTH_EXAMPLE),),
            "Any method will do.",
            (flag("details", "With `usage`."),),
        ),
        Operation(
            "get",
            "/livez",
            "isAlive",
            TAG,
            "Does the process answer?",
            (Answer(200, "It does.", words),),
            is_open=True,
        ),
        Operation(
            "get",
            "/readyz",
            "isReady",
            TAG,
            "Can requests be served?",
            (Answer(200, "They can.", words), Answer(503, "They cannot; the text says why.", words)),
            is_open=True,
        ),
    ]


def _orders(*, is_cloud: bool) -> list[Operation]:
    note = "Refused on a CSS, which has nobody to ask." if is_cloud else "204 also while the cloud cannot be reached."
    resend = [
        Operation(method, "/api/v1/resend", operation_id, TAG, "Ask the cloud for everything again", (DONE,), note)
        for method, operation_id in _RESEND
    ]
    return [
        *resend,
        Operation(
            "post",
            "/api/v1/shutdown",
            "shutDown",
            TAG,
            "Stop the service",
            (DONE,),
            "The answer comes first. Sync administrators only.",
            (
                query("restart", "`true` or `yes`: start again in the same process."),
                query("quiesce", "Seconds from the first refused request to the end.", {"type": "integer"}),
                flag("essunregister", "On an edge: leave the cloud for good."),
            ),
        ),
    ]


def _own_description() -> list[Operation]:
    page = {"text/html": Content({"type": "string"})}
    return [
        Operation(
            "get",
            "/openapi.json",
            "getDescription",
            TAG,
            "This document",
            (Answer(200, "OpenAPI 3.1.", {JSON: Content({"type": "object"})}),),
            refusals=(401,),
        ),
        Operation(
            "get",
            "/docs",
            "getPage",
            TAG,
            "This document as a page for people",
            (Answer(200, "One page, nothing from elsewhere.", page),),
            refusals=(401,),
        ),
        Operation(
            "get",
            "/docs/errors",
            "getErrors",
            TAG,
            "The kinds of errors, as part of that page",
            (Answer(200, "What `type` of a problem document points to.", page),),
            refusals=(401,),
        ),
    ]
