"""Every route that only the ESS has."""

from __future__ import annotations

from starlette.routing import Route

from common.rest.endpoint import route
from ess.api.cloud_only import CloudOnly


def routes(cloud_only: CloudOnly) -> list[Route]:
    return [
        route("/api/v1/destinations", cloud_only.destinations),
        route("/api/v1/organizations", cloud_only.organizations),
        route("/api/v1/organizations/{path:path}", cloud_only.organizations),
    ]
