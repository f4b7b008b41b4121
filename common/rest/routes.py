"""Every route that both services have."""

from __future__ import annotations

from starlette.routing import Route

from common.rest.documentation import DocumentationApi
from common.rest.endpoint import route
from common.rest.events import EventsApi
from common.rest.health import HealthApi
from common.rest.objects import ObjectsApi
from common.rest.resend import ResendApi
from common.rest.shutdown import ShutdownApi
from common.rest.webhook_queues import WebhookQueuesApi


def routes_of_both(
    objects: ObjectsApi,
    events: EventsApi,
    webhook_queues: WebhookQueuesApi,
    resend: ResendApi,
    health: HealthApi,
    shutdown: ShutdownApi,
    documentation: DocumentationApi,
) -> list[Route]:
    """On a cloud the organization comes first in the paths of objects, events and webhooks."""
    return [
        route("/api/v1/objects/{path:path}", objects.handle),
        route("/api/v1/events", events.handle),
        route("/api/v1/events/{path:path}", events.handle),
        route("/api/v1/webhooks", webhook_queues.handle),
        route("/api/v1/webhooks/{path:path}", webhook_queues.handle),
        route("/api/v1/resend", resend.handle, head_is_get=False),
        route("/api/v1/shutdown", shutdown.handle, head_is_get=False),
        route("/api/v1/health", health.health),
        route("/livez", health.live),
        route("/readyz", health.ready),
        route("/openapi.json", documentation.document),
        route("/docs", documentation.page),
        route("/docs/errors", documentation.page),
    ]
