"""Every route of the applications' interface; the nodes' is listed in `css.transports.http`."""

from __future__ import annotations

from starlette.routing import Route

from common.rest.health import HealthApi
from common.rest.objects import ObjectsApi
from css.api.nodes import NodesApi

_ANY = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]


def routes(objects: ObjectsApi, nodes: NodesApi, health: HealthApi) -> list[Route]:
    """The endpoints decide about methods themselves: the reference checks some before and some after authentication."""
    return [
        Route("/api/v1/objects/{path:path}", objects.handle, methods=_ANY),
        Route("/api/v1/destinations/{path:path}", nodes.handle, methods=_ANY),
        Route("/api/v1/health", health.health, methods=_ANY),
        Route("/livez", health.live),
        Route("/readyz", health.ready),
    ]
