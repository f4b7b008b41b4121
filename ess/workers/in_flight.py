"""Which objects the workers of this process are transferring, so that no two work on the same one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from common.domain.ids import ObjectKey


class InFlight:
    """At most `large_at_once` large transfers run; the remaining workers are for small ones, which never wait behind."""

    def __init__(self, large_at_once: int) -> None:
        self._large_at_once = large_at_once
        self._lock = threading.Lock()
        self._is_large: dict[ObjectKey, bool] = {}

    @contextmanager
    def claim(self, key: ObjectKey, *, is_large: bool = False) -> Iterator[bool]:
        """Whether the caller may transfer this object now; if so, nobody else may until the context ends."""
        with self._lock:
            has_room = not is_large or sum(self._is_large.values()) < self._large_at_once
            is_mine = has_room and key not in self._is_large
            if is_mine:
                self._is_large[key] = is_large
        try:
            yield is_mine
        finally:
            if is_mine:
                with self._lock:
                    del self._is_large[key]
