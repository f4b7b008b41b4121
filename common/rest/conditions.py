"""Conditional requests (RFC 9110, 13): entity tags in headers, and what they ask for. Validators are hex digits."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import InvalidRequest
from common.domain.preconditions import ANY_VERSION, Precondition

#: Empty elements of the list are allowed; what is quoted may hold commas.
_TAG = re.compile(r'[ \t,]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?=,|$)')
_END = re.compile(r"[ \t,]*$")


def etag(validator: str) -> str:
    """The strong entity tag."""
    return f'"{validator}"'


def precondition(request: Request) -> Precondition:
    """What the request's If-Match and If-None-Match ask for. Raises InvalidRequest for what is no list of entity tags."""
    return Precondition(
        matches=_validators(request, "if-match", with_weak=False),
        differs=_validators(request, "if-none-match", with_weak=True),
    )


def unless_known(request: Request, validator: str) -> Response | None:
    """304 when the caller has this version already, None when it is to be sent.

    Raises PreconditionFailed when If-Match names other versions, InvalidRequest.
    """
    asked = precondition(request)
    Precondition(matches=asked.matches).check(validator)
    if asked.differs is None or (asked.differs is not ANY_VERSION and validator not in asked.differs):
        return None
    return Response(status_code=304, headers={"etag": etag(validator)})


def is_unchanged(if_range: str, validator: str) -> bool:
    """Does this If-Range value name the present version? A date never does: nothing here is told apart by time."""
    return if_range.strip() == etag(validator)


def _validators(request: Request, header: str, *, with_weak: bool) -> frozenset[str] | None:
    """The tags of a header that compare equal to a strong one; None without the header."""
    values = request.headers.getlist(header)
    if not values:
        return None
    text = ",".join(values)
    if text.strip() == "*":
        return ANY_VERSION
    return frozenset(tag for is_weak, tag in _tags(text, header) if with_weak or not is_weak)


def _tags(text: str, header: str) -> list[tuple[bool, str]]:
    tags = []
    position = 0
    while match := _TAG.match(text, position):
        tags.append((match[1] is not None, match[2]))
        position = match.end()
    if not tags or not _END.match(text, position):
        raise InvalidRequest(f"{header} has to be * or a list of entity tags in double quotes.")
    return tags
