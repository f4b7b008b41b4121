"""What surrounds every request of the application interface: the standard headers, the drain, the limits, the count."""

from __future__ import annotations

import asyncio

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.domain.errors import TooManyRequests
from common.rest import problems, responses
from common.rest.draining import Draining
from common.rest.request_rates import RequestRates

_HEADERS: list[tuple[bytes, bytes]] = [
    (b"cache-control", b"no-store, no-cache, must-revalidate"),
    (b"pragma", b"no-cache"),
    (b"x-content-type-options", b"nosniff"),
]
_HSTS = (b"strict-transport-security", b"max-age=63072000; includeSubDomains; preload")

#: Answered while draining, too (rest-api 1.2).
_ALWAYS_OPEN = ("/livez", "/readyz", "/api/v1/health", "/api/v1/shutdown")

#: Of strangers, of those who may not, and of those who come too often.
_REFUSALS = frozenset({401, 403, 429})


class Doorway:
    """ASGI middleware. New work is refused with 503, before authentication, once draining has begun."""

    def __init__(self, app: ASGIApp, draining: Draining, rates: RequestRates) -> None:
        self._app = app
        self._draining = draining
        self._rates = rates
        self.client_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if self._draining.has_begun and not path.startswith(_ALWAYS_OPEN):
            refusal = problems.negotiated(HTTPConnection(scope), responses.stopping())
            await refusal(scope, receive, self._answering(scope, send, _HEADERS))
            return
        try:
            self._rates.count_address(scope)
        except TooManyRequests as error:
            refusal = problems.negotiated(HTTPConnection(scope), responses.failure(error), error)
            await refusal(scope, receive, self._answering(scope, send, _HEADERS))
            return
        if not path.startswith("/api/"):
            await self._app(scope, receive, self._answering(scope, send, []))
            return
        self.client_requests += 1
        headers = [*_HEADERS, _HSTS] if scope["scheme"] == "https" else _HEADERS
        await self._app(scope, receive, self._answering(scope, send, headers))

    def _answering(self, scope: Scope, send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] in _REFUSALS and (seconds := self._rates.pause_before_refusal(scope)):
                    await asyncio.sleep(seconds)
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        return answer
