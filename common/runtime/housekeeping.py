"""What is not needed any more goes: records beyond what is kept, the payload bytes nobody refers to, free memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from itertools import islice

from common.runtime.logs import fields
from common.runtime.malloc import give_back_unused_memory
from common.sync.payloads import HasPath, PayloadStore
from common.sync.ports import Clock, Database
from common.sync.retention import Retention

log = logging.getLogger(__name__)

#: Whoever has looked up a payload gets this long to open it, or where an open one cannot be kept, to read it.
GRACE_MS_OPEN_IS_KEPT = 30 * 1000
GRACE_MS = 10 * 60 * 1000

#: Staged and sealed bytes that no row has named for this long were left behind by a crash.
ORPHAN_AGE_SECONDS = 24 * 3600

_TURN_SECONDS = 60.0
_RETENTION_SECONDS = 600.0
_SWEEP_SECONDS = 6 * 3600.0
_PAGE = 500


class Housekeeper:
    """A worker's turns: discarded payloads every minute, records every ten, a sweep for orphans every few hours."""

    def __init__(self, database: Database, store: PayloadStore, retention: Retention, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._retention = retention
        self._clock = clock
        self._next_retention_at = clock.monotonic() + _TURN_SECONDS
        # An open file stays readable after its name is gone.
        self._grace_ms = GRACE_MS_OPEN_IS_KEPT if isinstance(store, HasPath) else GRACE_MS
        self._next_sweep_at = clock.monotonic() + _TURN_SECONDS

    def turn(self) -> float:
        if self._clock.monotonic() >= self._next_retention_at:
            self._next_retention_at = self._clock.monotonic() + _RETENTION_SECONDS
            self.forget_records()
        self.delete_discarded(self._clock.now_ms() - self._grace_ms)
        if self._clock.monotonic() >= self._next_sweep_at:
            self._next_sweep_at = self._clock.monotonic() + _SWEEP_SECONDS
            self.delete_orphans(time.time() - ORPHAN_AGE_SECONDS)
        give_back_unused_memory()
        return _TURN_SECONDS

    def forget_records(self) -> None:
        """Everything that is beyond what is kept, page by page: a publish never waits long for housekeeping."""
        retention = self._retention
        for forget in (
            retention.forget_receptions,
            retention.give_up_uploads,
            retention.forget_consumed_objects,
            retention.forget_dead_letters,
            retention.forget_audit,
        ):
            while self._database.write(forget):
                pass

    def delete_discarded(self, before_ms: int) -> int:
        """Delete payloads discarded before that time; how many. A name that is referred to again is kept."""
        deleted = 0
        while names := self._database.read(lambda uow: uow.payloads.list_discarded(before_ms, _PAGE)):
            unused = self._unreferenced(names)
            for name in unused:
                self._store.delete(name)
            deleted += len(unused)
            self._database.write(lambda uow, names=names: uow.payloads.forget_discarded(names))  # type: ignore[misc]
        return deleted

    def delete_orphans(self, before_seconds: float) -> int:
        """Delete what the store holds, nothing refers to, and was last written before that time; how many."""
        old = (payload.name for payload in self._store.names() if payload.modified_at < before_seconds)
        deleted = 0
        for names in _pages(old):
            for name in self._unreferenced(names):
                self._store.delete(name)
                deleted += 1
        if deleted:
            log.info("orphaned_payloads_deleted", extra=fields(count=deleted))
        return deleted

    def _unreferenced(self, names: list[str]) -> set[str]:
        return set(names) - self._database.read(lambda uow: uow.payloads.referenced(names))


def _pages(names: Iterator[str]) -> Iterator[list[str]]:
    while page := list(islice(names, _PAGE)):
        yield page
