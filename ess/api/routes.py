"""Every route of the ESS."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common.rest import responses
from common.rest.endpoint import route
from common.rest.health import HealthApi
from common.rest.objects import ObjectsApi


def routes(objects: ObjectsApi, health: HealthApi) -> list[Route]:
    """The paths have no organization: an edge belongs to one."""
    return [
        route("/api/v1/objects/{path:path}", objects.handle),
        route("/api/v1/destinations", _refused),
        route("/api/v1/health", health.health),
        route("/livez", health.live),
        route("/readyz", health.ready),
    ]


async def _refused(request: Request) -> Response:
    return responses.empty(400)
