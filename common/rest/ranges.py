"""Byte ranges in headers (rest-api 3.10 and 3.11)."""

from __future__ import annotations

import re
from typing import NamedTuple

from common.domain.chunks import Range
from common.domain.errors import InvalidRequest, RangeBeyondEnd

#: No store can be configured to take more (1 PiB), and none has to cope with offsets beyond.
MAX_SIZE_BYTES = 1 << 50

#: 19 digits hold every size up to 2**63 - 1 and keep conversion cheap.
_RANGE = re.compile(r"\s*[A-Za-z]+\s*=\s*(\d{1,19})-(\d{1,19})\s*")
_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"\s*(?:bytes\s+)?(\d{1,19})-(\d{1,19})/(\d{1,19})\s*", re.IGNORECASE)


def parse_range(text: str) -> Range:
    """`bytes=first-last`, both numbers required, as a half-open range. Raises InvalidRequest."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise InvalidRequest("Range has to be written bytes=first-last, both numbers given.")
    first, last = int(match[1]), int(match[2])
    if last < first:
        raise InvalidRequest("Range ends before it begins.")
    return Range(first, last + 1)


def range_of_rfc(text: str, size_bytes: int) -> Range | None:
    """What a Range header asks for by the rules of RFC 9110, 14.2: also `5-` and `-5`. None for the whole: several ranges, an
    unknown unit, no range at all. Raises RangeBeyondEnd.
    """
    match = _ONE_RANGE.fullmatch(text.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return _last_bytes(_position(match[2]), size_bytes)
    first = _position(match[1])
    end = _position(match[2]) + 1 if match[2] else size_bytes
    if match[2] and end <= first:
        return None
    if first >= size_bytes:
        raise RangeBeyondEnd(size_bytes)
    return Range(first, min(end, size_bytes))


class ContentRange(NamedTuple):
    start: int
    end: int
    total: int


def parse_content_range(text: str) -> ContentRange:
    """`bytes first-last/total`; the unit may be missing, the total may not. Raises InvalidRequest."""
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None:
        raise InvalidRequest("Content-Range has to be written bytes first-last/total.")
    first, last, total = (int(group) for group in match.groups())
    if last < first or last >= total:
        raise InvalidRequest("Content-Range has to satisfy first <= last < total.")
    if total > MAX_SIZE_BYTES:
        raise InvalidRequest("Content-Range describes more data than there can be.")
    return ContentRange(first, last + 1, total)


def format_content_range(part: Range, total: int) -> str:
    return f"bytes {part.start}-{part.end - 1}/{total}"


def _last_bytes(count: int, size_bytes: int) -> Range | None:
    if count == 0:
        raise RangeBeyondEnd(size_bytes)
    return Range(max(0, size_bytes - count), size_bytes) if size_bytes else None


def _position(digits: str) -> int:
    """A number beyond every size for one too long to be worth converting."""
    return int(digits) if len(digits) <= 19 else 10**19
