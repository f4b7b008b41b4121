"""`ports.Database` in memory: for tests of use cases, and for whole worlds that run in one thread.

It keeps every promise of the port except the one about power loss, and passes the same suite as the SQL stores.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from common.domain.addressing import Audience, audience_of
from common.domain.errors import Unavailable
from common.domain.metadata import Metadata
from common.sync.ports import Clock, UnitOfWork
from tests.support.memory_audit import MemoryAuditStore
from tests.support.memory_changes import MemoryChangeStore
from tests.support.memory_deliveries import MemoryDeliveryStore, MemoryFanOutStore
from tests.support.memory_enrolment import MemoryEnrolmentStore
from tests.support.memory_groups import (
    MemoryGroupDeliveryStore,
    MemoryGroupStore,
    MemoryLabelStore,
    MemoryPlacementStore,
    MemoryReviewStore,
)
from tests.support.memory_object_lists import MemoryObjectListStore
from tests.support.memory_quotas import MemoryQuotaStore, MemoryUsageStore
from tests.support.memory_records import (
    MemoryAccountStore,
    MemoryCounterStore,
    MemoryNodeStore,
    MemoryObjectStore,
    MemoryPayloadIndex,
    MemoryReceptionStore,
    MemoryUploadStore,
)
from tests.support.memory_tables import MemoryTables
from tests.support.memory_tenants import MemoryAccessListStore, MemoryOrganizationStore
from tests.support.memory_webhooks import MemoryWebhookQueue, MemoryWebhookStore

T = TypeVar("T")


class MemoryUnitOfWork:
    def __init__(
        self, tables: MemoryTables, audience_of: Callable[[Metadata], Audience], take_instances: Callable[[int], range]
    ) -> None:
        self.objects = MemoryObjectStore(tables)
        self.object_lists = MemoryObjectListStore(tables)
        self.deliveries = MemoryDeliveryStore(tables, audience_of)
        self.fan_outs = MemoryFanOutStore(tables)
        self.nodes = MemoryNodeStore(tables)
        self.labels = MemoryLabelStore(tables)
        self.groups = MemoryGroupStore(tables)
        self.group_deliveries = MemoryGroupDeliveryStore(tables)
        self.reviews = MemoryReviewStore(tables)
        self.placements = MemoryPlacementStore(tables)
        self.receptions = MemoryReceptionStore(tables)
        self.payloads = MemoryPayloadIndex(tables)
        self.uploads = MemoryUploadStore(tables)
        self.accounts = MemoryAccountStore(tables)
        self.audit = MemoryAuditStore(tables)
        self.access_lists = MemoryAccessListStore(tables)
        self.organizations = MemoryOrganizationStore(tables)
        self.quotas = MemoryQuotaStore(tables)
        self.usage = MemoryUsageStore(tables)
        self.enrolment = MemoryEnrolmentStore(tables)
        self.webhooks = MemoryWebhookStore(tables)
        self.webhook_queue = MemoryWebhookQueue(tables)
        self.counters = MemoryCounterStore(tables)
        self.changes = MemoryChangeStore(tables)
        self.woken: set[str] = set()
        self._take_instances = take_instances

    def next_instances(self, count: int) -> range:
        return self._take_instances(count)

    def wake(self, *topics: str) -> None:
        self.woken.update(topics)


class MemoryDatabase:
    """Runs one use case at a time, in the caller's thread, and hands its topics to `on_commit` before it returns.

    `audience_of` says whom an own object is for; on an edge that is not what its metadata says.
    """

    def __init__(
        self,
        *,
        on_commit: Callable[[frozenset[str]], None],
        clock: Clock,
        audience_of: Callable[[Metadata], Audience] = audience_of,
    ) -> None:
        self._on_commit = on_commit
        self._audience_of = audience_of
        self._tables = MemoryTables()
        self._next_instance = clock.now_ms() * 1_000_000 + 1
        self._lock = threading.RLock()
        self._is_busy = False
        self._is_closed = False

    parallel_commits = 1

    def submit(self, work: Callable[[UnitOfWork], T]) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(self.write(work))
        except Exception as error:  # noqa: BLE001 - whatever the use case raises is its caller's
            future.set_exception(error)
        return future

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        result, woken = self._run(work, keep=True)
        if woken:
            self._on_commit(woken)
        return result

    def read(self, work: Callable[[UnitOfWork], T]) -> T:
        result, _ = self._run(work, keep=False)
        return result

    def close(self) -> None:
        with self._lock:
            self._is_closed = True

    def _run(self, work: Callable[[UnitOfWork], T], *, keep: bool) -> tuple[T, frozenset[str]]:
        with self._lock:
            if self._is_closed:
                raise Unavailable
            if self._is_busy:
                raise RuntimeError("a use case may not start another one")
            self._is_busy = True
            unit_of_work = MemoryUnitOfWork(self._tables, self._audience_of, self._take_instances)
            try:
                result = work(unit_of_work)
                if keep:
                    self._tables.journal.keep()
            finally:
                self._tables.journal.undo()
                self._is_busy = False
            return result, frozenset(unit_of_work.woken)

    def _take_instances(self, count: int) -> range:
        # Not undone with the transaction: a number that was given out once is never given out again.
        first = self._next_instance
        self._next_instance += count
        return range(first, self._next_instance)
