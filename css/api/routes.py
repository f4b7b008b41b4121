"""Every route that only the CSS has for applications; the nodes' are listed in `css.transports.http`."""

from __future__ import annotations

from starlette.routing import Route

from common.rest.endpoint import route
from css.api.enrolments import EnrolmentsApi
from css.api.groups import GroupsApi
from css.api.labels import PATH as LABELS_PATH
from css.api.labels import LabelsApi
from css.api.node_certificates import NodeCertificatesApi
from css.api.nodes import NodesApi
from css.api.organizations import OrganizationsApi
from css.api.placement import PlacementApi
from css.api.quotas import QuotasApi
from css.api.security import SecurityApi


def routes(
    nodes: NodesApi,
    organizations: OrganizationsApi,
    security: SecurityApi,
    groups: GroupsApi,
    labels: LabelsApi,
    placement: PlacementApi,
    enrolments: EnrolmentsApi,
    certificates: NodeCertificatesApi,
    quotas: QuotasApi,
) -> list[Route]:
    return [
        route(LABELS_PATH, labels.handle),
        route("/api/v1/destinations", nodes.handle),
        route("/api/v1/destinations/{path:path}", nodes.handle),
        route("/api/v1/organizations", organizations.handle),
        route("/api/v1/organizations/{path:path}", organizations.handle),
        route("/api/v1/security", security.handle),
        route("/api/v1/security/{path:path}", security.handle),
        route("/api/v1/groups/{path:path}", groups.handle),
        route("/api/v1/placement/{path:path}", placement.handle),
        route("/api/v1/enrolments/{path:path}", enrolments.handle),
        route("/api/v1/certificates/{path:path}", certificates.handle),
        route("/api/v1/quotas/{path:path}", quotas.handle),
    ]
