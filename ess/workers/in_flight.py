"""Which objects the workers of this process are transferring, and which are to be left alone for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from common.domain.ids import ObjectKey
from common.domain.retry import RetryPolicy

RETRY = RetryPolicy(first_ms=250, longest_ms=60_000)

_SHORTEST_PAUSE_SECONDS = 0.1


class _Postponed(NamedTuple):
    instance: int
    failures: int
    #: By the monotonic clock.
    until: float


class InFlight:
    """At most `large_at_once` large transfers run; the remaining workers are for small ones, which never wait behind."""

    def __init__(self, large_at_once: int, monotonic: Callable[[], float], random: Callable[[], float]) -> None:
        self._large_at_once = large_at_once
        self._lock = threading.Lock()
        self._monotonic = monotonic
        self._random = random
        self._is_large: dict[ObjectKey, bool] = {}
        self._postponed: dict[ObjectKey, _Postponed] = {}

    @contextmanager
    def claim(self, key: ObjectKey, instance: int, *, is_large: bool = False) -> Iterator[bool]:
        """Whether the caller may transfer this object now; if so, nobody else may until the context ends.

        A newer instance need not wait out what its predecessor was postponed for.
        """
        with self._lock:
            has_room = not is_large or sum(self._is_large.values()) < self._large_at_once
            is_mine = has_room and key not in self._is_large and not self._is_postponed(key, instance)
            if is_mine:
                self._is_large[key] = is_large
        try:
            yield is_mine
        finally:
            if is_mine:
                with self._lock:
                    del self._is_large[key]

    def postpone(self, key: ObjectKey, instance: int) -> None:
        """The transfer failed: others go first, and this one is tried again later and later."""
        with self._lock:
            before = self._postponed.get(key)
            failures = before.failures + 1 if before is not None and before.instance == instance else 1
            delay_seconds = RETRY.delay_ms(failures, self._random()) / 1000
            self._postponed[key] = _Postponed(instance, failures, self._monotonic() + delay_seconds)

    def succeeded(self, key: ObjectKey) -> None:
        with self._lock:
            self._postponed.pop(key, None)

    def try_all_again(self) -> None:
        """What made transfers fail is over: nothing is postponed any more."""
        with self._lock:
            self._postponed.clear()

    def seconds_to_next(self, wanted: Collection[ObjectKey]) -> float | None:
        """Until the first postponed transfer of those still `wanted` may be tried again; None when there is none.

        The others are forgotten: nobody will ever try them again, and nobody is to be kept awake by them.
        """
        with self._lock:
            self._postponed = {key: each for key, each in self._postponed.items() if key in wanted}
            idle = [each.until for key, each in self._postponed.items() if key not in self._is_large]
            # One that could be tried but for its size waits for room, which nobody announces.
            return max(_SHORTEST_PAUSE_SECONDS, min(idle) - self._monotonic()) if idle else None

    def _is_postponed(self, key: ObjectKey, instance: int) -> bool:
        postponed = self._postponed.get(key)
        return postponed is not None and postponed.instance == instance and postponed.until > self._monotonic()
