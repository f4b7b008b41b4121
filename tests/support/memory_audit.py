"""The audit log in memory."""

from __future__ import annotations

from common.sync.audit import AuditEntry, AuditPosition, RecordedEntry
from tests.support.memory_tables import MemoryTables


class MemoryAuditStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._entries = tables.audit

    def add(self, entry: AuditEntry) -> None:
        self._entries.put(max(self._entries.row_keys(), default=0) + 1, entry)

    def page_of_org(self, org: str, *, before: AuditPosition | None, limit: int) -> list[RecordedEntry]:
        found = [
            each for each in self._recorded() if each.entry.org == org and (before is None or each.position < before)
        ]
        return sorted(found, key=lambda each: each.position, reverse=True)[:limit]

    def prune(self, before_ms: int, limit: int) -> int:
        old = sorted(each.position for each in self._recorded() if each.entry.at_ms < before_ms)[:limit]
        for position in old:
            self._entries.remove(position.number)
        return len(old)

    def _recorded(self) -> list[RecordedEntry]:
        return [
            RecordedEntry(AuditPosition(entry.at_ms, number), entry)
            for number in self._entries.row_keys()
            if (entry := self._entries.find(number)) is not None
        ]
