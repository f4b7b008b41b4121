"""Moments as text and as numbers. Two texts are compared as the instants they mean, never as text (rest-api 5.7)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from common.domain.errors import InvalidRequest

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_SECOND = 1_000_000_000


def parse_instant_ns(text: str) -> int:
    """RFC 3339 with upper-case T and Z (rest-api 1.6) as nanoseconds since 1970; earlier times are negative.

    Raises InvalidRequest.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise InvalidRequest("A time has to be written as in RFC 3339, for example 2031-01-01T00:00:00Z.")
    whole, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(whole + zone)
    except ValueError as error:
        raise InvalidRequest(f"The time {text} does not exist.") from error
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    return seconds * _NS_PER_SECOND + int((fraction or "")[:9].ljust(9, "0"))


def parse_instant_ms(text: str) -> int:
    """The same in whole milliseconds, never earlier than the instant itself."""
    return -(-parse_instant_ns(text) // 1_000_000)


def instant_ms_or_none(text: str) -> int | None:
    """The same for what a peer sent, which may be no time at all: then nothing ever comes of it."""
    try:
        return parse_instant_ms(text) if text else None
    except InvalidRequest:
        return None


def format_instant(ms_since_epoch: int) -> str:
    """RFC 3339 in UTC, to the second."""
    return (_EPOCH + timedelta(milliseconds=ms_since_epoch)).strftime("%Y-%m-%dT%H:%M:%SZ")
