"""Webhooks: registered for a type of objects, and the queues behind them (rest-api 3.6)."""

from __future__ import annotations

from typing import Literal

import msgspec

from common.rest.openapi.model import DONE, Operation, Parameter, json_answer, json_body
from common.rest.openapi.objects import ORG, TYPE
from common.rest.openapi.paging import PAGE, link

TAG = "Webhooks"

_EVENT_ID = Parameter(
    "path",
    "eventId",
    "The ID of a call that was given up.",
    {"type": "string", "pattern": "^[0-9]{1,19}$"},
    is_required=True,
    example="17",
)


class ChangeWebhook(msgspec.Struct, omit_defaults=True):
    """A URL to call when data of objects of this type has arrived, or to call no longer."""

    #: In any case.
    action: Literal["register", "delete"]
    url: str
    format: Literal["edgesync", "cloudevents"] | None = None
    secret: str | None = None


class WebhookQueue(
    msgspec.Struct,
    rename={
        "object_type": "objectType",
        "is_signed": "isSigned",
        "registered_at": "registeredAt",
        "oldest_queued_at": "oldestQueuedAt",
        "last_error": "lastError",
        "last_error_at": "lastErrorAt",
    },
):
    """A webhook, and the calls that wait for it."""

    object_type: str
    url: str
    format: str
    is_signed: bool
    registered_at: str
    queued: int
    oldest_queued_at: str | None
    dead: int
    last_error: str | None
    last_error_at: str | None


class DeadCall(
    msgspec.Struct,
    rename={"object_type": "objectType", "object_id": "objectID", "instance": "instanceID", "died_at": "diedAt"},
):
    """A call that was given up."""

    id: str
    object_type: str
    object_id: str
    instance: int
    url: str
    reason: str
    died_at: str


def webhook_operations(*, is_cloud: bool) -> list[Operation]:
    """Registration for applications, queues for administrators."""
    org = (ORG,) if is_cloud else ()
    objects = "/api/v1/objects/{org}/{type}" if is_cloud else "/api/v1/objects/{type}"
    queues = "/api/v1/webhooks/{org}" if is_cloud else "/api/v1/webhooks"
    return [
        Operation(
            "put",
            objects,
            "changeWebhook",
            TAG,
            "Register a webhook for a type, or remove it",
            (DONE,),
            "Called with a POST of the metadata when data has arrived; repeated until it answers 2xx. With a `secret` the "
            "calls are signed as Standard Webhooks says.",
            (*org, TYPE),
            json_body(ChangeWebhook, {"action": "register", "url": "https://hooks.example.com/arrived"}),
            refusals=(413,),
        ),
        Operation(
            "get",
            queues,
            "listWebhooks",
            TAG,
            "The webhooks and their queues",
            (json_answer(list[WebhookQueue], "Possibly none. Secrets are never shown."),),
            parameters=org,
        ),
        *_dead_calls(f"{queues}/dead", org),
    ]


def _dead_calls(base: str, org: tuple[Parameter, ...]) -> list[Operation]:
    return [
        Operation(
            "get",
            base,
            "listDeadCalls",
            TAG,
            "The calls that were given up",
            (link(json_answer(list[DeadCall], "Possibly none.")),),
            parameters=(*org, *PAGE),
        ),
        Operation("post", f"{base}/replay", "replayDeadCalls", TAG, "Try all of them again", (DONE,), parameters=org),
        Operation(
            "post",
            f"{base}/{{eventId}}/replay",
            "replayDeadCall",
            TAG,
            "Try one of them again",
            (DONE,),
            parameters=(*org, _EVENT_ID),
            refusals=(404,),
        ),
        Operation(
            "delete",
            f"{base}/{{eventId}}",
            "deleteDeadCall",
            TAG,
            "Forget one of them",
            (DONE,),
            parameters=(*org, _EVENT_ID),
            refusals=(404,),
        ),
    ]
