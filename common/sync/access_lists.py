"""What the use cases ask of stored access lists. The promises are held by `tests/contract/test_stores_access_lists.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from common.domain.access_lists import AccessEntry, Grantee, Grants, ListKind, UserType


@dataclass(frozen=True, slots=True)
class AccessList:
    """Which list: of objects of a type, or of nodes of a type; the key is that type, or ORG_WIDE."""

    org: str
    kind: ListKind
    key: str


class AccessListStore(Protocol):
    """The access lists of every organization. A list is there while it has entries."""

    def add(self, where: AccessList, entries: Sequence[AccessEntry]) -> None:
        """Insert entries, or replace their roles. Of two with the same user type and name the last one counts."""
        ...

    def remove(self, where: AccessList, users: Sequence[tuple[UserType, str]]) -> None:
        """Those who are not on the list are fine."""
        ...

    def list_entries(self, where: AccessList, user_type: UserType | None) -> list[AccessEntry]:
        """By user type and name (byte order); of every user type when None."""
        ...

    def list_keys(self, org: str, kind: ListKind) -> list[str]:
        """The keys that have a list, in byte order."""
        ...

    def grants(self, grantee: Grantee, object_type: str, destination_types: Iterable[str]) -> Grants:
        """What the lists of these types and the organization-wide ones say about the caller. As many look-ups by key as
        there are types, whatever the length of the lists.
        """
        ...

    def object_grants(self, grantee: Grantee) -> Grants:
        """What every list of objects says about the caller; destinations are left out."""
        ...
