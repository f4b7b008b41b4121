"""The access lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product

import sqlalchemy as sa
from sqlalchemy.sql.expression import ColumnElement

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
from common.store.access_tables import NAMES_A_USER, access_entries
from common.store.session import Row, Session
from common.store.statements import Bulk, Statement, constant, joined, matching, parameter, upsert
from common.sync.access_lists import AccessList

_LIST = ("org", "kind", "key")
_ENTRY = (*_LIST, "user_type", "username")
_ENTRY_COLUMNS = [access_entries.c[name] for name in _ENTRY]

_ADD = upsert(access_entries, *_ENTRY)
_REMOVE = Bulk(_ENTRY_COLUMNS, lambda values: sa.delete(access_entries).where(joined(access_entries, values, *_ENTRY)))

_ENTRIES = (
    sa.select(access_entries.c.user_type, access_entries.c.username, access_entries.c.role)
    .where(matching(access_entries, *_LIST))
    .order_by(access_entries.c.user_type, access_entries.c.username)
)
_LIST_ENTRIES = Statement(_ENTRIES)
_LIST_ENTRIES_OF_TYPE = Statement(_ENTRIES.where(matching(access_entries, "user_type")))
_LIST_KEYS = Statement(
    sa.select(access_entries.c.key)
    .where(matching(access_entries, "org", "kind"), NAMES_A_USER)
    .distinct()
    .order_by(access_entries.c.key)
)

_ABOUT = [parameter("username", access_entries.c.username.type), constant(EVERYBODY)]
_OF_TYPE = parameter("key", access_entries.c.key.type)


def _roles(conditions: Iterable[tuple[ListKind, *tuple[ColumnElement[bool], ...]]]) -> Statement:
    """Each condition and each name it may be about is a look-up of its own: equality alone is certain to use an index."""
    return Statement(
        sa.union_all(
            *[
                sa.select(access_entries.c.kind, access_entries.c.key, access_entries.c.role).where(
                    matching(access_entries, "org", "user_type"),
                    access_entries.c.kind == constant(kind),
                    access_entries.c.username == username,
                    *more,
                )
                for (kind, *more), username in product(conditions, _ABOUT)
            ]
        )
    )


_GRANTS = _roles(
    [
        (ListKind.OBJECTS, access_entries.c.key == _OF_TYPE),
        (ListKind.OBJECTS, access_entries.c.key == constant(ORG_WIDE)),
        (ListKind.DESTINATIONS, access_entries.c.key == constant(ORG_WIDE)),
    ]
)
_DESTINATION_GRANTS = _roles([(ListKind.DESTINATIONS, access_entries.c.key == _OF_TYPE)])
_OBJECT_GRANTS = _roles([(ListKind.OBJECTS, NAMES_A_USER)])


class SqlAccessLists:
    """The `AccessListStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, where: AccessList, entries: Sequence[AccessEntry]) -> None:
        last = {(entry.user_type, entry.username): entry for entry in entries}
        rows = [{**_entry(where, *who), "role": entry.role.value} for who, entry in last.items()]
        self._session.run_many(_ADD, rows)

    def remove(self, where: AccessList, users: Sequence[tuple[UserType, str]]) -> None:
        self._session.run_many(_REMOVE, [_entry(where, *who) for who in users])

    def list_entries(self, where: AccessList, user_type: UserType | None) -> list[AccessEntry]:
        values = _list(where)
        if user_type is None:
            rows = self._session.fetch(_LIST_ENTRIES, values)
        else:
            rows = self._session.fetch(_LIST_ENTRIES_OF_TYPE, {**values, "user_type": user_type.value})
        return [AccessEntry(UserType(row[0]), row[1], AccessRole(row[2])) for row in rows]

    def list_keys(self, org: str, kind: ListKind) -> list[str]:
        return [str(row[0]) for row in self._session.fetch(_LIST_KEYS, {"org": org, "kind": kind.value})]

    def grants(self, grantee: Grantee, object_type: str, destination_types: Iterable[str]) -> Grants:
        rows = [*self._session.fetch(_GRANTS, {**_about(grantee), "key": object_type})]
        for key in destination_types:
            rows += self._session.fetch(_DESTINATION_GRANTS, {**_about(grantee), "key": key})
        return _grants_of(rows)

    def object_grants(self, grantee: Grantee) -> Grants:
        return _grants_of(self._session.fetch(_OBJECT_GRANTS, _about(grantee)))


def _about(grantee: Grantee) -> dict[str, object]:
    return {"org": grantee.org, "user_type": grantee.user_type.value, "username": grantee.username}


def _list(where: AccessList) -> dict[str, object]:
    return {"org": where.org, "kind": where.kind.value, "key": where.key}


def _entry(where: AccessList, user_type: UserType, username: str) -> dict[str, object]:
    return {**_list(where), "user_type": user_type.value, "username": username}


def _grants_of(rows: Iterable[Row]) -> Grants:
    """From kind, key and role."""
    objects: dict[str, frozenset[AccessRole]] = defaultdict(frozenset)
    destinations: set[str] = set()
    for kind, key, role in rows:
        if kind == ListKind.OBJECTS:
            objects[key] |= {AccessRole(role)}
        else:
            destinations.add(key)
    return Grants(dict(objects), frozenset(destinations))
