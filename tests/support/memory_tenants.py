"""Access lists and organizations in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from common.domain.access_lists import (
    EVERYBODY,
    ORG_WIDE,
    AccessEntry,
    AccessRole,
    Grantee,
    Grants,
    ListKind,
    UserType,
)
from common.domain.objects import Payload, SyncObject
from common.domain.organizations import Organization
from common.domain.reception import Reception
from common.sync.access_lists import AccessList
from common.sync.organizations import Removal
from common.sync.records import Upload
from tests.support.memory_tables import MemoryTables, Table


class MemoryAccessListStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._entries = tables.access_entries

    def add(self, where: AccessList, entries: Sequence[AccessEntry]) -> None:
        for entry in entries:
            self._entries.put((where, entry.user_type, entry.username), (where, entry))

    def remove(self, where: AccessList, users: Sequence[tuple[UserType, str]]) -> None:
        for who in users:
            self._entries.remove((where, *who))

    def list_entries(self, where: AccessList, user_type: UserType | None) -> list[AccessEntry]:
        found = [entry for each, entry in self._entries if each == where and user_type in (None, entry.user_type)]
        return sorted(found, key=lambda entry: (entry.user_type, entry.username))

    def list_keys(self, org: str, kind: ListKind) -> list[str]:
        return sorted({where.key for where, _ in self._entries if (where.org, where.kind) == (org, kind)})

    def grants(self, grantee: Grantee, object_type: str, destination_types: Iterable[str]) -> Grants:
        asked = {(ListKind.OBJECTS, key) for key in (object_type, ORG_WIDE)}
        asked |= {(ListKind.DESTINATIONS, key) for key in (*destination_types, ORG_WIDE)}
        return self._about(grantee, lambda where: (where.kind, where.key) in asked)

    def object_grants(self, grantee: Grantee) -> Grants:
        return self._about(grantee, lambda where: where.kind is ListKind.OBJECTS)

    def _about(self, grantee: Grantee, is_asked: Callable[[AccessList], bool]) -> Grants:
        objects: dict[str, frozenset[AccessRole]] = {}
        destinations: set[str] = set()
        for where, entry in self._entries:
            is_about = entry.user_type is grantee.user_type and entry.username in (grantee.username, EVERYBODY)
            if where.org != grantee.org or not is_about or not is_asked(where):
                continue
            if where.kind is ListKind.OBJECTS:
                objects[where.key] = objects.get(where.key, frozenset()) | {entry.role}
            else:
                destinations.add(where.key)
        return Grants(objects, frozenset(destinations))


class MemoryOrganizationStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._organizations = tables.organizations

    def find(self, org: str) -> Organization | None:
        return self._organizations.find(org)

    def save(self, organization: Organization) -> None:
        self._organizations.put(organization.org, organization)

    def remove(self, org: str) -> None:
        self._organizations.remove(org)

    def list_all(self) -> list[Organization]:
        return sorted(self._organizations, key=lambda each: each.org)

    def remove_belongings(self, org: str, limit: int) -> Removal:
        removed: list[object] = []
        tables = [table for table in vars(self._tables).values() if isinstance(table, Table)]
        for table in sorted(tables, key=self._is_last):
            keys = [key for key in table.row_keys() if _org_of(key) == org][: limit - len(removed)]
            for key in keys:
                removed.append(table.find(key))
                table.remove(key)
        payloads = [payload for row in removed if (payload := _payload_of(row))]
        return Removal(len(removed), payloads)

    def _is_last(self, table: Table[object, object]) -> int:
        """Nodes first, objects last."""
        return (table is not self._tables.nodes) + (table is self._tables.objects)


def _org_of(key: object) -> str | None:
    """What belongs to an organization has a key that begins with it."""
    if isinstance(key, AccessList):
        return key.org
    if not isinstance(key, tuple):
        return None
    return key[0] if isinstance(key[0], str) else _org_of(key[0])


def _payload_of(row: object) -> Payload | str | None:
    match row:
        case SyncObject():
            return row.payload
        case Upload() | Reception():
            return row.staged
        case _:
            return None
