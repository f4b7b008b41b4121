"""Every route of the ESS."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common.rest import responses
from common.rest.health import HealthApi
from common.rest.objects import ObjectsApi

_ANY = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]


def routes(objects: ObjectsApi, health: HealthApi) -> list[Route]:
    """The endpoints decide about methods themselves, as on the CSS; paths have no organization."""
    return [
        Route("/api/v1/objects/{path:path}", objects.handle, methods=_ANY),
        Route("/api/v1/destinations", _refused, methods=_ANY),
        Route("/api/v1/health", health.health, methods=_ANY),
        Route("/livez", health.live),
        Route("/readyz", health.ready),
    ]


async def _refused(request: Request) -> Response:
    return responses.empty(400)
