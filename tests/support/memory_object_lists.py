"""Lists of objects in memory: `object_lists.ObjectListStore`."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.ids import ObjectKey
from common.domain.objects import SyncObject
from common.domain.selection import ListPosition, Selection
from common.sync.object_lists import MOST_DESTINATIONS, Destination
from tests.support.memory_tables import MemoryTables


class MemoryObjectListStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def page(self, selection: Selection, after: ListPosition, limit: int) -> list[SyncObject]:
        matches = [
            each
            for each in self._tables.objects
            if selection.includes(each) and ListPosition(each.key.type, each.key.id) > after
        ]
        return sorted(matches, key=lambda each: each.key)[:limit]

    def types(self, org: str, after: str, limit: int, *, is_public: bool) -> list[str]:
        of_org = [each for each in self._tables.objects if each.key.org == org and (each.meta.public or not is_public)]
        return sorted({each.key.type for each in of_org if each.key.type > after})[:limit]

    def destinations(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, list[Destination]] | None:
        found: dict[ObjectKey, list[Destination]] = {}
        for each in self._tables.deliveries:
            if each.object in keys:
                destination = Destination(each.node.type, each.node.id, each.state, each.message)
                found.setdefault(each.object, []).append(destination)
        is_too_much = sum(map(len, found.values())) > MOST_DESTINATIONS and len(keys) > 1
        return None if is_too_much else found

    def being_fanned_out(self, keys: Sequence[ObjectKey]) -> set[ObjectKey]:
        return {key for key in keys if key in self._tables.fan_outs}
