"""Small payloads, and the names of payloads that nobody refers to any more."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.sql.expression import ClauseElement

from common.domain.errors import NotFound
from common.domain.objects import Payload
from common.store.session import Session
from common.store.statements import ALWAYS, NO_OFFSET, Bulk, Statement, Values, matching, parameter, upsert
from common.store.tables import discarded_payloads, objects, receptions, small_payloads, uploads

_NAME = small_payloads.c.name

_SAVE = upsert(small_payloads, "name")
_READ = Statement(sa.select(small_payloads.c.bytes).where(matching(small_payloads, "name")))
_REMOVE = Bulk([_NAME], lambda values: sa.delete(small_payloads).where(values["name"] == _NAME))
_DISCARD = upsert(discarded_payloads, "name")
_LIST_DISCARDED = Statement(
    sa.select(discarded_payloads.c.name)
    .where(discarded_payloads.c.discarded_at_ms < parameter("before_ms"))
    .order_by(discarded_payloads.c.discarded_at_ms, discarded_payloads.c.name)
    .limit(parameter("limit"))
    .offset(NO_OFFSET)
)
_FORGET = Bulk([_NAME], lambda values: sa.delete(discarded_payloads).where(values["name"] == discarded_payloads.c.name))


def _referenced(values: Values) -> ClauseElement:
    name = values["name"]
    referring = (objects.c.payload_name, uploads.c.staged, receptions.c.staged)
    return sa.select(name).where(ALWAYS, sa.or_(*[sa.exists().where(column == name) for column in referring]))


_REFERENCED = Bulk([_NAME], _referenced)


class SqlPayloadIndex:
    """The `PayloadIndex` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def save_small_many(self, payloads: Sequence[tuple[str, bytes]]) -> None:
        self._session.run_many_binary(_SAVE, [{"name": name, "bytes": data} for name, data in payloads])

    def read_small(self, name: str) -> bytes:
        row = self._session.fetch_one(_READ, {"name": name})
        if row is None:
            raise NotFound
        return bytes(row[0])

    def discard_many(self, payloads: Sequence[Payload | str], now_ms: int) -> None:
        small = [p.name for p in payloads if isinstance(p, Payload) and p.is_small]
        others = [p if isinstance(p, str) else p.name for p in payloads if not (isinstance(p, Payload) and p.is_small)]
        self._session.run_many(_REMOVE, [{"name": name} for name in small])
        self._session.run_many(_DISCARD, [{"name": name, "discarded_at_ms": now_ms} for name in dict.fromkeys(others)])

    def list_discarded(self, before_ms: int, limit: int) -> list[str]:
        rows = self._session.fetch(_LIST_DISCARDED, {"before_ms": before_ms, "limit": limit})
        return [row[0] for row in rows]

    def forget_discarded(self, names: Sequence[str]) -> None:
        self._session.run_many(_FORGET, [{"name": name} for name in names])

    def referenced(self, names: Sequence[str]) -> set[str]:
        return {row[0] for row in self._session.fetch_many(_REFERENCED, [{"name": name} for name in names])}
