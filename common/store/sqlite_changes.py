"""Numbers of changes on SQLite: a counter, drawn in the order of the commits because there is one writer."""

from __future__ import annotations

import sqlalchemy as sa

from common.store.changes import IDENTITY, SqlChanges, take_new_identity
from common.store.session import Session
from common.store.statements import Statement, constant, one_of, parameter
from common.store.tables import counters
from common.sync.changes import Position

_CHANGES = "changes"

_READ = Statement(sa.select(counters.c.name, counters.c.value).where(one_of(counters.c.name, (_CHANGES, IDENTITY))))
_ADD = Statement(sa.insert(counters).values(name=constant(_CHANGES), value=parameter("value")))
_OF_CHANGES = sa.update(counters).where(counters.c.name == constant(_CHANGES))
_LEAP = Statement(_OF_CHANGES.where(counters.c.value < parameter("value")).values(value=parameter("value")))
_DRAW = Statement(_OF_CHANGES.values(value=counters.c.value + constant(1)).returning(counters.c.value))


class SqliteChanges(SqlChanges):
    """The `ChangeStore` of one transaction."""

    draw = _DRAW

    def position(self) -> Position:
        values = {row[0]: row[1] for row in self._session.fetch(_READ, {})}
        return Position(values[IDENTITY], values[_CHANGES])


def start_numbering(session: Session, now_us: int) -> None:
    """Go on behind every number given out before, and behind the clock.

    So a database that was restored from a backup does not give out again what clients have seen since the backup.
    """
    known = {row[0] for row in session.fetch(_READ, {})}
    if IDENTITY not in known:
        take_new_identity(session)
    if _CHANGES not in known:
        session.run(_ADD, {"value": now_us})
    session.run(_LEAP, {"value": now_us})
