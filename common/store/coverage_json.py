"""How the byte ranges that have arrived are written into a column."""

from __future__ import annotations

import msgspec

from common.domain.chunks import Coverage, Range

_decode = msgspec.json.Decoder(list[tuple[int, int]]).decode
_NOTHING = Coverage()


def coverage_to_json(coverage: Coverage) -> str:
    return msgspec.json.encode(coverage.ranges).decode() if coverage.ranges else "[]"


def coverage_from_json(text: str) -> Coverage:
    return _NOTHING if text == "[]" else Coverage(tuple(Range(start, end) for start, end in _decode(text)))
