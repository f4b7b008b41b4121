"""Byte ranges in headers (rest-api 3.10 and 3.11)."""

from __future__ import annotations

import re
from typing import NamedTuple

from common.domain.chunks import Range
from common.domain.errors import InvalidRequest

#: No store can be configured to take more (1 PiB), and none has to cope with offsets beyond.
MAX_SIZE_BYTES = 1 << 50

#: 19 digits hold every size up to 2**63 - 1 and keep conversion cheap.
_RANGE = re.compile(r"\s*[A-Za-z]+\s*=\s*(\d{1,19})-(\d{1,19})\s*")
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
