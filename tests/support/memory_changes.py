"""`ChangeStore` in memory. Transactions run one after the other, so nothing is ever pending."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.objects import ObjectStatus, SyncObject
from common.sync.changes import Position
from tests.support.memory_tables import MemoryTables

_CHANGES = "changes"


class MemoryChangeStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._number: int | None = None

    def next(self) -> int:
        if self._number is None:
            self._number = (self._tables.counters.find(_CHANGES) or 0) + 1
            self._tables.counters.put(_CHANGES, self._number)
        return self._number

    def position(self) -> Position:
        return Position(id(self._tables), self._tables.counters.find(_CHANGES) or 0)

    def list_after(
        self, org: str, object_type: str, change: int, limit: int, *, with_received: bool
    ) -> list[SyncObject]:
        return [
            item
            for item in self._of_type(org, object_type)
            if item.change > change and (with_received or item.status is not ObjectStatus.RECEIVED)
        ][:limit]

    def list_numbered(self, org: str, object_type: str, changes: Sequence[int]) -> list[SyncObject]:
        return [item for item in self._of_type(org, object_type) if item.change in changes]

    def _of_type(self, org: str, object_type: str) -> list[SyncObject]:
        shown = [item for item in self._tables.objects if item.key[:2] == (org, object_type) and item.change]
        return sorted(shown, key=lambda item: item.change)
