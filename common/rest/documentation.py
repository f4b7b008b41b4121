"""`/openapi.json` and `/docs`: the interface described, for programs and for people.

What it takes is loaded with the first request for it: most processes are never asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import NotAuthenticated
from common.rest import responses
from common.rest.access import Access

if TYPE_CHECKING:
    from common.rest.openapi.model import Description

#: Unlike the reference's interface, these are for browsers: they ask their user when told to.
_CHALLENGE = {"www-authenticate": 'Basic realm="edgesync", charset="UTF-8"', "cache-control": "no-store"}


class DocumentationApi:
    """The endpoints. `describe` loads the description of this service."""

    def __init__(self, access: Access, describe: Callable[[], Description]) -> None:
        self._access = access
        self._describe = describe

    async def document(self, request: Request) -> Response:
        """GET: OpenAPI 3.1."""
        refusal = await self._refusal(request)
        return refusal if refusal is not None else await asyncio.to_thread(self._rendered)

    async def page(self, request: Request) -> Response:
        """GET: a page that shows the document, made of nothing but itself."""
        refusal = await self._refusal(request)
        return refusal if refusal is not None else await asyncio.to_thread(_page)

    async def _refusal(self, request: Request) -> Response | None:
        try:
            self._access.check_may_use_api(await self._access.principal(request))
        except NotAuthenticated:
            return Response("Unauthorized", 401, _CHALLENGE, "text/plain")
        return None if request.method == "GET" else responses.empty(405)

    def _rendered(self) -> Response:
        from common.rest.openapi import render

        return responses.json_body(render.rendered(self._describe()), {"cache-control": "no-store"})


def _page() -> Response:
    from common.rest.openapi import page

    return Response(page.html(), headers=page.headers(), media_type="text/html")
