"""What surrounds every request of the application interface: the standard headers, the drain, the count."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.rest import problems, responses

_HEADERS: list[tuple[bytes, bytes]] = [
    (b"cache-control", b"no-store, no-cache, must-revalidate"),
    (b"pragma", b"no-cache"),
    (b"x-content-type-options", b"nosniff"),
]
_HSTS = (b"strict-transport-security", b"max-age=63072000; includeSubDomains; preload")

#: Answered while draining, too (rest-api 1.2).
_ALWAYS_OPEN = ("/livez", "/readyz", "/api/v1/health", "/api/v1/shutdown")


class Doorway:
    """ASGI middleware. `is_draining` refuses new work with 503, before authentication."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.is_draining = False
        self.client_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if self.is_draining and not path.startswith(_ALWAYS_OPEN):
            refusal = problems.negotiated(HTTPConnection(scope), responses.stopping())
            await refusal(scope, receive, _with_headers(send, _HEADERS))
            return
        if not path.startswith("/api/"):
            await self._app(scope, receive, send)
            return
        self.client_requests += 1
        headers = [*_HEADERS, _HSTS] if scope["scheme"] == "https" else _HEADERS
        await self._app(scope, receive, _with_headers(send, headers))


def _with_headers(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *headers]
        await send(message)

    return send_with_headers
