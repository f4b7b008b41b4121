"""Peers that send a body, or take an answer, so slowly that they only hold what others need.

A transfer is looked at once per window, by one timer for all: whoever moved less than its share since the last look is
cut off. Time in which the service itself kept the peer waiting does not count.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

#: How many times per window the timer looks, and so how late it may be.
_LOOKS = 8


class Transfer(Protocol):
    """One direction of a connection on which the peer is expected to move bytes."""

    def bytes_moved(self) -> int | None:
        """How many so far; None while the peer is not the one that is waited for."""
        ...

    def is_over(self) -> bool: ...

    def cut(self) -> None:
        """It is too slow."""
        ...


@dataclass(frozen=True, slots=True)
class PaceLimits:
    """0 bytes per second sets no limit."""

    bytes_per_second: int
    window_seconds: float


@dataclass(slots=True)
class _Window:
    ends_at: float
    moved_before: int | None


class Pace:
    """Watches transfers. For the event loop only."""

    def __init__(self, limits: PaceLimits) -> None:
        self._limits = limits
        self._least_bytes = limits.bytes_per_second * limits.window_seconds
        #: In the order in which their windows end, which are all of one length.
        self._watched: OrderedDict[Transfer, _Window] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, transfer: Transfer) -> None:
        """From now on until it is over; a transfer that is watched already goes on as it is."""
        if self._least_bytes and transfer not in self._watched:
            self._begin_window(transfer)
            if self._timer is None:
                self._schedule()

    def forget(self, transfer: Transfer) -> None:
        self._watched.pop(transfer, None)

    def _begin_window(self, transfer: Transfer) -> None:
        ends_at = asyncio.get_running_loop().time() + self._limits.window_seconds
        self._watched[transfer] = _Window(ends_at, transfer.bytes_moved())

    def _schedule(self) -> None:
        pause_seconds = self._limits.window_seconds / _LOOKS
        self._timer = asyncio.get_running_loop().call_later(pause_seconds, self._look)

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._watched:
            transfer, window = next(iter(self._watched.items()))
            if window.ends_at > now:
                break
            del self._watched[transfer]
            self._judge(transfer, window)
        self._timer = None
        if self._watched:
            self._schedule()

    def _judge(self, transfer: Transfer, window: _Window) -> None:
        if transfer.is_over():
            return
        moved = transfer.bytes_moved()
        was_waited_for = moved is not None and window.moved_before is not None
        if was_waited_for and moved - window.moved_before < self._least_bytes:  # type: ignore[operator]
            transfer.cut()
        else:
            self._begin_window(transfer)
