"""Everything the ESS serves to applications of its box, as OpenAPI operations."""

from __future__ import annotations

from common.rest.openapi import administration, events, objects, service, webhooks
from common.rest.openapi.model import Description, Tag

_TAGS = (
    Tag(objects.TAG, "One object: metadata, data, what applications did with it."),
    Tag(events.TAG, "What arrived for the applications of this edge: polled, waited for, or as a stream."),
    Tag(webhooks.TAG, "URLs that are called when data has arrived, and the queues behind them."),
    Tag(administration.ACCOUNTS, "Who may call."),
    Tag(administration.AUDIT, "Who changed what."),
    Tag(service.TAG, "The service itself."),
)


def describe() -> Description:
    """The description."""
    return Description(
        "Edge Sync Service",
        "Keeps objects in step between the cloud and the applications of this edge. HEAD is answered wherever GET is; "
        "query values that are empty count as absent.",
        _TAGS,
        (
            *objects.object_operations(is_cloud=False),
            *events.arrival_operations(is_cloud=False),
            *webhooks.webhook_operations(is_cloud=False),
            *administration.account_operations(is_cloud=False),
            *administration.audit_operations(is_cloud=False),
            *service.service_operations(is_cloud=False),
        ),
    )
