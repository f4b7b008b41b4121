"""The objects of a node in the order in which applications came to be shown them; engines number in their own way."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import ClassVar

import sqlalchemy as sa

from common.domain.objects import ObjectStatus, SyncObject
from common.store.objects import OBJECT_COLUMNS, object_of
from common.store.session import Session
from common.store.statements import NO_OFFSET, Bulk, Statement, constant, joined, matching, parameter
from common.store.tables import counters, objects

#: The counter that holds the identity of the store.
IDENTITY = "identity"

_AFTER = (
    sa.select(*OBJECT_COLUMNS)
    .where(matching(objects, "org", "type"), objects.c.change > parameter("change"))
    .order_by(objects.c.change)
    .limit(parameter("limit"))
    .offset(NO_OFFSET)
)
# The primary key begins with the same two columns: a plan kept from when there were few objects could use it for ever.
_LIST_AFTER = Statement(_AFTER, is_planned_anew=True)
_LIST_AFTER_UNLESS_RECEIVED = Statement(
    _AFTER.where(objects.c.status != constant(ObjectStatus.RECEIVED)), is_planned_anew=True
)
_LIST_NUMBERED = Bulk(
    [objects.c[name] for name in ("org", "type", "change")],
    lambda values: sa.select(*OBJECT_COLUMNS).where(
        joined(objects, values, "org", "type", "change"), objects.c.change.is_not(None)
    ),
    is_planned_anew=True,
)
_ADD_IDENTITY = Statement(sa.insert(counters).values(name=constant(IDENTITY), value=parameter("value")))
_CHANGE_IDENTITY = Statement(
    sa.update(counters).where(counters.c.name == constant(IDENTITY)).values(value=parameter("value"))
)


class SqlChanges:
    """A `ChangeStore` but for the position, which every engine tells in its own way."""

    #: Gives the number of the transaction it runs in.
    draw: ClassVar[Statement]

    def __init__(self, session: Session) -> None:
        self._session = session
        self._number: int | None = None

    def next(self) -> int:
        if self._number is None:
            self._number = int(self._session.fetch(self.draw, {})[0][0])
        return self._number

    def list_after(
        self, org: str, object_type: str, change: int, limit: int, *, with_received: bool
    ) -> list[SyncObject]:
        statement = _LIST_AFTER if with_received else _LIST_AFTER_UNLESS_RECEIVED
        asked = {"org": org, "type": object_type, "change": change, "limit": limit}
        return [object_of(row) for row in self._session.fetch(statement, asked)]

    def list_numbered(self, org: str, object_type: str, changes: Sequence[int]) -> list[SyncObject]:
        asked = [{"org": org, "type": object_type, "change": change} for change in changes]
        found = [object_of(row) for row in self._session.fetch_many(_LIST_NUMBERED, asked)]
        return sorted(found, key=lambda item: item.change)


def take_new_identity(session: Session) -> None:
    """What anybody remembers of this store is about another one from now on."""
    value = {"value": secrets.randbits(62)}
    if session.run(_CHANGE_IDENTITY, value) == 0:
        session.run(_ADD_IDENTITY, value)
