"""From a handler to an ASGI application, and from an error to its answer: the one place where that happens."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from common.domain.errors import SyncError
from common.rest import problems, responses
from common.runtime.http_protocol import CONNECTION
from common.runtime.logs import fields

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


class Endpoint:
    """Answers requests by `handle`, which decides about methods itself: the reference checks some before and some after
    authentication.

    HEAD is answered as GET without the body, unless `head_is_get` is false: where GET has effects.
    Being an application of its own rather than a function spares each request two layers of exception handling, a fifth
    of the cost of a small PUT.
    """

    def __init__(self, handle: Handler, *, head_is_get: bool = True) -> None:
        self._handle = handle
        self._head_is_get = head_is_get

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = self._head_is_get and scope["method"] == "HEAD"
        request = Request(_as_get(scope) if is_head else scope, receive, send)
        error: Exception | None = None
        try:
            response = await self._handle(request)
        except SyncError as caught:
            error, response = caught, responses.failure(caught)
        except ClientDisconnect:
            return
        except Exception as caught:
            log.exception("request_failed", extra=fields(method=scope["method"], path=scope["path"]))
            error, response = caught, responses.internal_error()
        if response.status_code >= 400:
            response = problems.negotiated(request, response, error)
        # Its traceback refers to this frame and to those that hold the body, which would stay until somebody collects garbage.
        error = None
        await _deliver(_Head(response) if is_head else response, scope, receive, send)


def route(path: str, handle: Handler, *, head_is_get: bool = True) -> Route:
    """A route that takes every method, and every path below `path` if that ends in `{…:path}`, line breaks included."""
    made = Route(path, Endpoint(handle, head_is_get=head_is_get))
    made.path_regex = re.compile(made.path_regex.pattern, re.DOTALL)
    return made


def _as_get(scope: Scope) -> Scope:
    """Ranges are defined for GET alone (RFC 9110, 14.2)."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
    return {**scope, "method": "GET", "headers": headers}


class _Head:
    """An answer without its body; one that would be streamed is not even opened."""

    def __init__(self, response: Response) -> None:
        self._response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, headers = self._response.status_code, self._response.raw_headers
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


async def _deliver(answer: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """An answer that fails on its way is cut, so that nobody takes what was sent of it for all of it."""
    try:
        await answer(scope, receive, send)
    except Exception as error:
        connection = scope.get("extensions", {}).get(CONNECTION)
        has_left = isinstance(error, RuntimeError) and connection is not None and connection["is_closing"]()
        about = fields(method=scope["method"], path=scope["path"], reason=str(error))
        if isinstance(error, SyncError):
            log.warning("answer_cut", extra=about)
        elif not has_left:  # uvloop refuses to write to a connection that the client has just closed
            log.exception("request_failed", extra=about)
        if connection is None:
            raise
        connection["abort"]()
        while (await receive())["type"] != "http.disconnect":
            pass  # the server takes it for a defect when nobody waits for the connection to be gone
