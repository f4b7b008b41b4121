"""Every route of the applications' interface; the nodes' is listed in `css.transports.http`."""

from __future__ import annotations

from starlette.routing import Route

from common.rest.endpoint import route
from common.rest.health import HealthApi
from common.rest.objects import ObjectsApi
from common.rest.resend import ResendApi
from common.rest.shutdown import ShutdownApi
from css.api.groups import GroupsApi
from css.api.labels import PATH as LABELS_PATH
from css.api.labels import LabelsApi
from css.api.nodes import NodesApi
from css.api.organizations import OrganizationsApi
from css.api.placement import PlacementApi
from css.api.security import SecurityApi


def routes(
    objects: ObjectsApi,
    nodes: NodesApi,
    organizations: OrganizationsApi,
    security: SecurityApi,
    groups: GroupsApi,
    labels: LabelsApi,
    placement: PlacementApi,
    resend: ResendApi,
    health: HealthApi,
    shutdown: ShutdownApi,
) -> list[Route]:
    return [
        route("/api/v1/objects/{path:path}", objects.handle),
        route(LABELS_PATH, labels.handle),
        route("/api/v1/destinations", nodes.handle),
        route("/api/v1/destinations/{path:path}", nodes.handle),
        route("/api/v1/organizations", organizations.handle),
        route("/api/v1/organizations/{path:path}", organizations.handle),
        route("/api/v1/security", security.handle),
        route("/api/v1/security/{path:path}", security.handle),
        route("/api/v1/groups/{path:path}", groups.handle),
        route("/api/v1/placement/{path:path}", placement.handle),
        route("/api/v1/resend", resend.handle, head_is_get=False),
        route("/api/v1/shutdown", shutdown.handle, head_is_get=False),
        route("/api/v1/health", health.health),
        route("/livez", health.live),
        route("/readyz", health.ready),
    ]
