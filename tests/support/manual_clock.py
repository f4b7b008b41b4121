"""A clock that moves when a test says so."""

from __future__ import annotations

#: 2026-01-01T00:00:00Z
NOW_MS = 1_767_225_600_000


class ManualClock:
    """`ports.Clock` by hand. Time passes by `advance`; `set_wall` is an operator or a bad battery setting the date."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self._now_ms = now_ms
        self._monotonic_ms = 0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._monotonic_ms / 1000

    def advance(self, *, seconds: float = 0, ms: int = 0) -> None:
        """Both times move on."""
        passed_ms = ms + round(seconds * 1000)
        self._now_ms += passed_ms
        self._monotonic_ms += passed_ms

    def set_wall(self, now_ms: int) -> None:
        """Only the wall clock jumps, forwards or back."""
        self._now_ms = now_ms
