"""Answers of the application interface, in the forms rest-api 1.3 and 1.4 give them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from common.domain import errors
from common.rest.paths import Malformed
from common.sync.payloads import PayloadStoreFull, PayloadStoreUnavailable

#: From error to status. A subclass without a line of its own takes its parent's.
STATUS: dict[type[errors.SyncError], int] = {
    errors.InvalidRequest: 400,
    errors.TooLarge: 413,
    errors.NotAuthenticated: 403,  # never 401: clients compare (rest-api 1.4)
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.RangeBeyondEnd: 416,
    errors.AlreadyExists: 409,
    errors.QuotaExceeded: 507,
    errors.PreconditionFailed: 412,
    errors.Ignored: 409,
    errors.UnknownNode: 424,
    errors.ProtocolViolation: 409,
    errors.VerificationFailed: 500,
    errors.Unavailable: 503,
    errors.TooManyRequests: 429,
    PayloadStoreFull: 503,
    PayloadStoreUnavailable: 503,
    errors.SyncError: 500,
}


def status_of(error: errors.SyncError) -> int:
    """The status of the nearest class in STATUS."""
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def done() -> Response:
    """204: every successful PUT, POST and DELETE."""
    return Response(status_code=204)


def not_found() -> Response:
    """404 with an empty body: also every empty list."""
    return Response(status_code=404)


def empty(status: int) -> Response:
    return Response(status_code=status)


def json_body(raw: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(raw, headers=headers, media_type="application/json")


def json_of(value: object) -> Response:
    return json_body(msgspec.json.encode(value))


def json_or_404(items: Sequence[object]) -> Response:
    """A list; an empty one is 404 (rest-api 7.1)."""
    return json_of(items) if items else not_found()


def word(text: str) -> Response:
    """A bare status word; the media type is swapped as in the reference."""
    return Response(text, headers={"content-type": "plain/text"})


def failure(error: errors.SyncError) -> Response:
    """One line of text; `Unauthorized` exactly; nothing for 404 and for values that make no sense (rest-api 1.4)."""
    status = status_of(error)
    if status == 404 or isinstance(error, Malformed):
        return empty(status)
    if status == 403:
        return Response("Unauthorized", 403, media_type="text/plain")
    return Response(f"{error}\n", status, headers=_headers_of(error, status), media_type="text/plain")


async def unknown_address(request: Request) -> Response:
    """404 for a path that nothing is behind."""
    return Response("There is nothing at this address.\n", 404, media_type="text/plain")


def stopping() -> Response:
    """503 for whoever comes too late; the connection ends."""
    return Response(status_code=503, headers={"connection": "close", "retry-after": "2"})


def internal_error() -> Response:
    """500 for a bug: the log has the details, the caller gets none of them."""
    return Response("The service failed to answer this request.\n", 500, media_type="text/plain")


def _headers_of(error: errors.SyncError, status: int) -> dict[str, str]:
    if isinstance(error, errors.RangeBeyondEnd):
        return {"content-range": f"bytes */{error.size_bytes}"}
    if isinstance(error, errors.TooManyRequests):
        return {"retry-after": str(max(1, math.ceil(error.retry_after_seconds)))}
    return {"retry-after": "1"} if status == 503 else {}
