"""Versions of services, and ranges of them (rest-api 2.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from common.domain.errors import InvalidRequest

_INFINITY = "INFINITY"

# Eighteen digits are a 64-bit number; turning a million of them into one would take a while.
_NUMBER = r"(?:0|[1-9][0-9]{0,17})"
_VERSION = rf"{_NUMBER}(?:\.{_NUMBER}){{0,2}}"
_ONE = re.compile(_VERSION)
_BOTH_ENDS = re.compile(rf"([\[(])({_VERSION}),({_VERSION}|{_INFINITY})([\])])")


class Version(NamedTuple):
    """Missing parts are 0, so `1` and `1.0.0` are the same."""

    major: int
    minor: int = 0
    patch: int = 0


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Every version from `low` to `high`; an end belongs to the range if it is closed. Without `high` there is no upper end."""

    low: Version
    is_low_closed: bool = True
    high: Version | None = None
    is_high_closed: bool = False

    def __contains__(self, version: Version) -> bool:
        if version < self.low or (version == self.low and not self.is_low_closed):
            return False
        return self.high is None or version < self.high or (version == self.high and self.is_high_closed)


def parse_version(text: str) -> Version:
    """One to three numbers between dots, without leading zeros. Raises InvalidRequest."""
    if not _ONE.fullmatch(text):
        raise InvalidRequest("A version is one to three numbers between dots, such as 1.4.0.")
    return Version(*map(int, text.split(".")))


@lru_cache(maxsize=1024)
def parse_range(text: str) -> VersionRange:
    """`[a,b]`, `(a,b)`, `[a,b)`, `(a,b]` with versions as ends, `b` also INFINITY; or one version: that and every later one.

    Raises InvalidRequest.
    """
    if _ONE.fullmatch(text):
        return VersionRange(parse_version(text))
    ends = _BOTH_ENDS.fullmatch(text)
    if ends is None:
        raise InvalidRequest("A version range is written like [1.0,2.0), (1.2.3,INFINITY) or 1.5.")
    opening, low, high, closing = ends.groups()
    upper = None if high == _INFINITY else parse_version(high)
    return VersionRange(parse_version(low), opening == "[", upper, closing == "]")
