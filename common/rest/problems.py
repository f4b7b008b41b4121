"""Errors as problem documents (RFC 9457), for callers that ask for them.

Everybody else gets what the reference's clients compare: one line of text, `Unauthorized`, or nothing. The kinds and what
to do about each are described in docs/errors.md.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass

import msgspec
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response

from common.domain import errors
from common.runtime.logs import fields
from common.sync.payloads import PayloadStoreFull, PayloadStoreUnavailable

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
_JSON = "application/json"

#: To callers that say `Accept: application/json`, as some reference clients may, these stay as they are (rest-api 1.4).
_CONTRACT_STATUSES = (403, 404)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of error. `name` is stable: callers decide by it."""

    name: str
    title: str

    @property
    def uri(self) -> str:
        """Relative to the service, which shows what it means there."""
        return f"/docs/errors#{self.name}"


class Problem(msgspec.Struct, frozen=True):
    """The document."""

    type: str
    title: str
    status: int
    detail: str
    #: This very request; the log names it too.
    instance: str


INTERNAL_ERROR = Kind("internal-error", "The service failed")
NOT_AUTHENTICATED = Kind("not-authenticated", "Unknown caller")
_FORBIDDEN = Kind("forbidden", "Not allowed")
_INVALID = Kind("invalid-request", "Invalid request")
_NOT_FOUND = Kind("not-found", "Not found")
_UNAVAILABLE = Kind("unavailable", "Not possible right now")

#: A subclass without a line of its own takes its parent's.
KINDS: dict[type[errors.SyncError], Kind] = {
    errors.InvalidRequest: _INVALID,
    errors.TooLarge: Kind("too-large", "Too large"),
    errors.NotAuthenticated: NOT_AUTHENTICATED,
    errors.Forbidden: _FORBIDDEN,
    errors.NotFound: _NOT_FOUND,
    errors.RangeNotSatisfiable: Kind("range-not-satisfiable", "Range beyond the end"),
    errors.AlreadyExists: Kind("already-exists", "Already there"),
    errors.QuotaExceeded: Kind("quota-exceeded", "No room left for the organization"),
    errors.PreconditionFailed: Kind("precondition-failed", "Changed meanwhile"),
    errors.Ignored: Kind("superseded", "Superseded"),
    errors.UnknownNode: Kind("unknown-node", "Node not registered"),
    errors.ProtocolViolation: Kind("out-of-place", "Message out of place"),
    errors.VerificationFailed: Kind("verification-failed", "Verification failed"),
    errors.Unavailable: _UNAVAILABLE,
    errors.TooManyRequests: Kind("too-many-requests", "Too many requests"),
    PayloadStoreFull: Kind("store-full", "No room for more data"),
    PayloadStoreUnavailable: _UNAVAILABLE,
    errors.SyncError: INTERNAL_ERROR,
}

#: For answers that no error stands behind.
_BY_STATUS = {
    400: (_INVALID, "The request breaks a rule of this address: its query, its path or its form."),
    401: (NOT_AUTHENTICATED, "Credentials are needed."),
    403: (_FORBIDDEN, "Unauthorized"),
    404: (_NOT_FOUND, "There is nothing here."),
    405: (Kind("method-not-allowed", "Method not allowed"), "This address does not know this method."),
    503: (_UNAVAILABLE, "The service is stopping; try again later."),
}


def kinds() -> list[Kind]:
    """Every kind there is, by name."""
    found = {kind.name: kind for kind in [*KINDS.values(), *(kind for kind, _ in _BY_STATUS.values())]}
    return [found[name] for name in sorted(found)]


def negotiated(connection: HTTPConnection, answer: Response, error: Exception | None = None) -> Response:
    """`answer`, a refusal or failure, as a problem document if the caller wants one.

    `error` is what stands behind it, if anything does.
    """
    status = answer.status_code
    if not wants_problem(connection.headers.get("accept", ""), status):
        return answer
    kind, detail = _kind_and_detail(answer, error)
    problem = Problem(kind.uri, kind.title, status, detail, uuid.uuid4().urn)
    level = logging.WARNING if status >= 500 else logging.DEBUG
    log.log(
        level,
        "problem_reported",
        extra=fields(instance=problem.instance, kind=kind.name, status=status, path=connection.scope["path"]),
    )
    headers = _without_content(answer.headers)
    return Response(msgspec.json.encode(problem), status, headers=headers, media_type=PROBLEM_JSON)


def wants_problem(accept: str, status: int) -> bool:
    """Does this Accept header ask for errors of this status as problem documents? `*/*` alone does not."""
    named = set(_media_types(accept))
    return PROBLEM_JSON in named or (_JSON in named and status not in _CONTRACT_STATUSES)


def _kind_and_detail(answer: Response, error: Exception | None) -> tuple[Kind, str]:
    if isinstance(error, errors.SyncError):
        kind = next(KINDS[cls] for cls in type(error).__mro__ if cls in KINDS)
        return kind, str(error)
    kind, detail = _BY_STATUS.get(answer.status_code, (INTERNAL_ERROR, "The service failed to answer this request."))
    text = bytes(getattr(answer, "body", b"")).decode(errors="replace").strip()
    return kind, text or detail


def _media_types(accept: str) -> list[str]:
    """Those named in full and not excluded by `q=0`."""
    named = []
    for each in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in each.split(";"))
        if not any(parameter.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for parameter in parameters):
            named.append(media_type)
    return named


def _without_content(headers: Headers) -> dict[str, str]:
    return {
        name: value for name, value in headers.items() if not name.startswith("content-") or name == "content-range"
    }
