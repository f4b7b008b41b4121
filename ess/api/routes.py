"""Every route of the ESS."""

from __future__ import annotations

from starlette.routing import Route

from common.rest.endpoint import route
from common.rest.health import HealthApi
from common.rest.objects import ObjectsApi
from common.rest.resend import ResendApi
from common.rest.shutdown import ShutdownApi
from ess.api.cloud_only import CloudOnly


def routes(
    objects: ObjectsApi, cloud_only: CloudOnly, resend: ResendApi, health: HealthApi, shutdown: ShutdownApi
) -> list[Route]:
    """The paths have no organization: an edge belongs to one."""
    return [
        route("/api/v1/objects/{path:path}", objects.handle),
        route("/api/v1/destinations", cloud_only.destinations),
        route("/api/v1/organizations", cloud_only.organizations),
        route("/api/v1/organizations/{path:path}", cloud_only.organizations),
        route("/api/v1/resend", resend.handle, head_is_get=False),
        route("/api/v1/shutdown", shutdown.handle, head_is_get=False),
        route("/api/v1/health", health.health),
        route("/livez", health.live),
        route("/readyz", health.ready),
    ]
