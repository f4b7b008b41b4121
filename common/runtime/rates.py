"""How often: token buckets, one for each of many who ask, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

#: A bucket holds what fills it in this time: so much may come at once after a pause.
BURST_SECONDS = 10.0

#: Buckets at a time. The one untouched longest goes first, which at worst gives its owner a full one.
_MOST_BUCKETS = 20_000


class Rates:
    """At most `per_second` on average, and a burst of ten times as many, of each `who`. Not for several threads."""

    def __init__(self, per_second: float, clock: Callable[[], float], most_buckets: int = _MOST_BUCKETS) -> None:
        """`clock` gives monotonic seconds; 0 per second sets no limit."""
        self._per_second = per_second
        self._burst = per_second * BURST_SECONDS
        self._clock = clock
        self._most_buckets = most_buckets
        #: When each bucket is full again: all there is to know about one. Those that are full need not be known at all.
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, who: Hashable) -> float:
        """Take one; 0.0 if there was one, otherwise the seconds until there will be."""
        if not self._per_second:
            return 0.0
        now = self._clock()
        full_at = max(self._full_at.get(who, 0.0), now) + 1.0 / self._per_second
        missing_seconds = full_at - now - BURST_SECONDS
        # A rounding error is no reason to refuse.
        if missing_seconds > 1e-6:
            return missing_seconds
        self._full_at[who] = full_at
        self._full_at.move_to_end(who)
        if len(self._full_at) > self._most_buckets:
            self._full_at.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        return len(self._full_at)
