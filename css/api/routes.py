"""Every route of the applications' interface; the nodes' is listed in `css.transports.http`."""

from __future__ import annotations

from starlette.routing import Route

from common.rest.endpoint import route
from common.rest.health import HealthApi
from common.rest.objects import ObjectsApi
from css.api.nodes import NodesApi


def routes(objects: ObjectsApi, nodes: NodesApi, health: HealthApi) -> list[Route]:
    return [
        route("/api/v1/objects/{path:path}", objects.handle),
        route("/api/v1/destinations/{path:path}", nodes.handle),
        route("/api/v1/health", health.health),
        route("/livez", health.live),
        route("/readyz", health.ready),
    ]
