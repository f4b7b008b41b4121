"""What organizations keep: added up by each transaction from what it does to objects, written with its commit.

    find, locked ──► known ──┐
    save, remove ────────────┴─► change per organization ──► one shard, at the end of the transaction

The shard is written last, so whoever waits for it waits for one commit and for nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from random import randrange

import sqlalchemy as sa

from common.domain.ids import ObjectKey
from common.domain.objects import SyncObject
from common.domain.quotas import Usage
from common.store.keys import KEY, key_values
from common.store.lookups import locking_look_up
from common.store.quota_tables import usage
from common.store.session import Session
from common.store.statements import NO_OFFSET, Statement, constant, matching, parameter, upsert
from common.store.tables import objects
from common.sync.quota_ports import Drift

_SHARDS = 8

_SIZES = locking_look_up(objects, [*[objects.c[name] for name in KEY], objects.c.payload_size], *KEY)
_ADD = Statement(
    sa.update(usage)
    .where(matching(usage, "org", "shard"))
    .values(
        objects=usage.c.objects + parameter("more_objects"),
        payload_bytes=usage.c.payload_bytes + parameter("more_bytes"),
    )
)
_START = upsert(usage, "org", "shard", is_replacing=False)


def _sum(column: sa.Column[int] | sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.coalesce(sa.func.sum(column), constant(0)), sa.BigInteger)


_OF_ORG = Statement(
    sa.select(_sum(usage.c.objects), _sum(usage.c.payload_bytes), _sum(usage.c.corrections)).where(
        matching(usage, "org")
    )
)
_COUNTED = Statement(sa.select(sa.func.count(), _sum(objects.c.payload_size)).where(matching(objects, "org")))
_CORRECT = Statement(
    sa.update(usage)
    .where(matching(usage, "org", "corrections"), usage.c.shard == constant(0))
    .values(
        objects=usage.c.objects + parameter("more_objects"),
        payload_bytes=usage.c.payload_bytes + parameter("more_bytes"),
        corrections=usage.c.corrections + constant(1),
    )
)


def _next_org(table: sa.Table) -> Statement:
    following = sa.select(table.c.org).where(table.c.org > parameter("after", sa.Text))
    return Statement(following.order_by(table.c.org).limit(constant(1)).offset(NO_OFFSET))


_NEXT_OF_OBJECTS, _NEXT_OF_USAGE = _next_org(objects), _next_org(usage)


class SqlUsage:
    """The `UsageStore` of one transaction, and what the object store reports to it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        #: Payload bytes of objects nobody else changes before this transaction ends; None for one that is not there.
        self._known: dict[ObjectKey, int | None] = {}
        # Counted in plain numbers: this is done for each object of each publish.
        self._more_objects: dict[str, int] = defaultdict(int)
        self._more_bytes: dict[str, int] = defaultdict(int)

    def found(self, key: ObjectKey, item: SyncObject | None) -> None:
        """What stands under a key that is locked; None when nothing does."""
        self._known[key] = None if item is None else _payload_bytes(item)

    def saving(self, items: Sequence[SyncObject]) -> None:
        """These are about to be saved."""
        known = self._known
        unknown = [item.key for item in items if item.key not in known]
        if unknown:
            self._look_up(unknown)
        for item in items:
            before, after = known[item.key], _payload_bytes(item)
            if before is None:
                self._more_objects[item.key.org] += 1
            if before != after:
                self._more_bytes[item.key.org] += after - (before or 0)
                known[item.key] = after

    def removed(self, org: str, payload_sizes: Sequence[int | None], key: ObjectKey | None = None) -> None:
        """Objects of the organization are gone, with payloads of these sizes; `key` names the one, if it was one."""
        self._more_objects[org] -= len(payload_sizes)
        self._more_bytes[org] -= sum(size or 0 for size in payload_sizes)
        if key is not None:
            self._known[key] = None

    def flush(self) -> None:
        """Write down what changed: the last thing a transaction does."""
        changed = self._more_objects.keys() | self._more_bytes.keys()
        if changed:
            shard = randrange(_SHARDS) if self._session.has_rivals else 0  # noqa: S311 - spreads, keeps no secret
            for org in sorted(changed):
                self._add(org, shard, self._change_of(org))
            self._more_objects.clear()
            self._more_bytes.clear()

    def of_org(self, org: str) -> Usage:
        kept, _ = self._kept(org)
        return kept + self._change_of(org)

    def hold(self, org: str) -> None:
        # No organization has a colon in its name: those who register nodes in one do not wait for this.
        self._session.lock_alone(f"usage:{org}")

    def next_org(self, after: str) -> str | None:
        rows = [self._session.fetch_one(each, {"after": after}) for each in (_NEXT_OF_OBJECTS, _NEXT_OF_USAGE)]
        return min((row[0] for row in rows if row), default=None)

    def drift(self, org: str) -> Drift:
        kept, corrections = self._kept(org)
        row = self._session.fetch_one(_COUNTED, {"org": org})
        assert row is not None
        return Drift(Usage(*row) - kept, corrections)

    def correct(self, org: str, drift: Drift) -> bool:
        change = {"more_objects": drift.usage.objects, "more_bytes": drift.usage.payload_bytes}
        self._start(org, 0)
        return self._session.run(_CORRECT, {"org": org, "corrections": drift.corrections, **change}) > 0

    def _change_of(self, org: str) -> Usage:
        return Usage(self._more_objects.get(org, 0), self._more_bytes.get(org, 0))

    def _look_up(self, keys: Sequence[ObjectKey]) -> None:
        rows = self._session.fetch_many(_SIZES, [key_values(key) for key in sorted(keys)])
        sizes = {ObjectKey(*row[:3]): row[3] or 0 for row in rows}
        self._known.update((key, sizes.get(key)) for key in keys)

    def _kept(self, org: str) -> tuple[Usage, int]:
        row = self._session.fetch_one(_OF_ORG, {"org": org})
        assert row is not None
        return Usage(row[0], row[1]), row[2]

    def _add(self, org: str, shard: int, change: Usage) -> None:
        if not change:
            return
        values = {
            "org": org,
            "shard": shard,
            "more_objects": change.objects,
            "more_bytes": change.payload_bytes,
        }
        if not self._session.run(_ADD, values):
            self._start(org, shard)
            self._session.run(_ADD, values)

    def _start(self, org: str, shard: int) -> None:
        row = {"org": org, "shard": shard, "objects": 0, "payload_bytes": 0, "corrections": 0}
        self._session.run_many(_START, [row])


def _payload_bytes(item: SyncObject) -> int:
    return item.payload.size if item.payload is not None else 0
