"""Small numbers."""

from __future__ import annotations

import sqlalchemy as sa

from common.store.session import Session
from common.store.statements import Statement, matching, upsert
from common.store.tables import counters

_GET = Statement(sa.select(counters.c.value).where(matching(counters, "name")))
_SET = upsert(counters, "name")


class SqlCounters:
    """The `CounterStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str) -> int:
        row = self._session.fetch_one(_GET, {"name": name})
        return int(row[0]) if row else 0

    def set(self, name: str, value: int) -> None:
        self._session.run_many(_SET, [{"name": name, "value": value}])
