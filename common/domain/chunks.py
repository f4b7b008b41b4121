"""Byte ranges of a payload: what is there, what is missing. Ranges are half-open, `[start, end)`, in bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Range(NamedTuple):
    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Coverage:
    """The set of bytes received so far: disjoint, non-touching ranges in ascending order."""

    ranges: tuple[Range, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> Coverage:
        coverage = cls()
        for start, end in ranges:
            coverage = coverage.add(start, end)
        return coverage

    def add(self, start: int, end: int) -> Coverage:
        """With `[start, end)` received too. An empty range changes nothing; a negative one is a ValueError."""
        if start < 0 or end < start:
            raise ValueError(f"not a byte range: {start}..{end}")
        if start == end:
            return self
        before = [r for r in self.ranges if r.end < start]
        after = [r for r in self.ranges if r.start > end]
        touching = self.ranges[len(before) : len(self.ranges) - len(after)]
        if touching:
            start, end = min(start, touching[0].start), max(end, touching[-1].end)
        return Coverage((*before, Range(start, end), *after))

    def overlaps(self, start: int, end: int) -> bool:
        """Is any byte of `[start, end)` there already?"""
        return any(r.start < end and start < r.end for r in self.ranges)

    def missing(self, size: int) -> Iterator[Range]:
        """The gaps of `[0, size)`, in ascending order."""
        position = 0
        for start, end in self.ranges:
            if start >= size:
                break
            if start > position:
                yield Range(position, start)
            position = end
        if position < size:
            yield Range(position, size)

    def covers(self, size: int) -> bool:
        """Is every byte of `[0, size)` there?"""
        return next(self.missing(size), None) is None

    @property
    def received_bytes(self) -> int:
        return sum(r.size_bytes for r in self.ranges)

    @property
    def contiguous_bytes(self) -> int:
        """How many bytes are there from the start without a gap."""
        return self.ranges[0].end if self.ranges and self.ranges[0].start == 0 else 0
