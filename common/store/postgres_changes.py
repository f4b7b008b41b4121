"""Numbers of changes on PostgreSQL: those of its transactions, which it orders and tracks anyway."""

from __future__ import annotations

import psycopg
import sqlalchemy as sa

from common.store.changes import IDENTITY, SqlChanges, take_new_identity
from common.store.counters import SqlCounters
from common.store.postgres_session import Connection
from common.store.session import Session
from common.store.statements import Statement, constant
from common.store.tables import counters, objects
from common.sync.changes import Position

_CLUSTER, _TIMELINE = "cluster", "timeline"

#: Brings every number of another cluster below all that this one gives out, in the same order.
_BELOW = 2**61

_DRAW = Statement(sa.select(sa.cast(sa.cast(sa.func.pg_current_xact_id(), sa.Text), sa.BigInteger)))
_READ = Statement(
    sa.select(counters.c.value, sa.cast(sa.func.pg_current_snapshot(), sa.Text)).where(
        counters.c.name == constant(IDENTITY)
    )
)
_MOVE_BELOW = Statement(
    sa.update(objects).where(objects.c.change > constant(0)).values(change=objects.c.change - constant(_BELOW))
)


class PostgresChanges(SqlChanges):
    """The `ChangeStore` of one transaction."""

    draw = _DRAW

    def position(self) -> Position:
        identity, snapshot = self._session.fetch(_READ, {})[0]
        _, first_unseen, pending = snapshot.split(":")
        return Position(identity, int(first_unseen) - 1, frozenset(map(int, filter(None, pending.split(",")))))


def lineage_of(connection: Connection) -> tuple[int, int]:
    """Which cluster this is, and which of its histories: a recovery to a point in time begins a new one.

    Zeros where a server does not tell.
    """
    try:
        row = connection.execute(
            "SELECT system_identifier, timeline_id FROM pg_control_system(), pg_control_checkpoint()", prepare=False
        ).fetchone()
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction, psycopg.errors.FeatureNotSupported):
        row = None
    return (int(row[0]), int(row[1])) if row else (0, 0)


def start_numbering(session: Session, lineage: tuple[int, int]) -> None:
    """Tell a database that was moved or restored from the one it was: its transactions are numbered anew.

    The caller keeps others from doing this at the same time.
    """
    known = SqlCounters(session)
    cluster, timeline = lineage
    if not session.fetch(_READ, {}) or (known.get(_CLUSTER), known.get(_TIMELINE)) != lineage:
        take_new_identity(session)
    if known.get(_CLUSTER) not in (0, cluster):
        session.run(_MOVE_BELOW, {})
    known.set(_CLUSTER, cluster)
    known.set(_TIMELINE, timeline)
