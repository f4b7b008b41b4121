"""Fan-outs that continue in the background."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from common.domain.addressing import Audience, AudienceKind
from common.domain.ids import NodeKey, ObjectKey
from common.store.keys import KEY, key_values
from common.store.session import Row, Session
from common.store.statements import RowLock, Statement, constant, matching, parameter, upsert
from common.store.tables import fan_outs
from common.sync.records import FanOut

_COLUMNS = [
    fan_outs.c[name]
    for name in (
        *KEY,
        "instance",
        "audience_kind",
        "audience_type",
        "audience_id",
        "audience_nodes",
        "is_deliverable",
        "after_type",
        "after_id",
    )
]
_OF_OBJECT = matching(fan_outs, *KEY)

_SAVE = upsert(fan_outs, *KEY)
_FIND = Statement(sa.select(*_COLUMNS).where(_OF_OBJECT))
_NEXT = Statement(
    sa.select(*_COLUMNS).order_by(fan_outs.c.position).limit(constant(1)).offset(constant(0)),
    lock=RowLock(fan_outs, skip_locked=True),
)
_HOLD_OF_ORG = Statement(
    sa.select(fan_outs.c.position).where(matching(fan_outs, "org")).order_by(fan_outs.c.position),
    lock=RowLock(fan_outs),
)
_ADVANCE = Statement(
    sa.update(fan_outs)
    .where(_OF_OBJECT)
    .values(
        after_type=parameter("after_type", fan_outs.c.after_type.type),
        after_id=parameter("after_id", fan_outs.c.after_id.type),
    )
)
_REMOVE = Statement(sa.delete(fan_outs).where(_OF_OBJECT))


class SqlFanOuts:
    """The `FanOutStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, fan_out: FanOut) -> None:
        self._session.run_many(_SAVE, [_row_of(fan_out)])

    def next(self) -> FanOut | None:
        row = self._session.fetch_one(_NEXT, {})
        return _fan_out_of(row) if row else None

    def find(self, key: ObjectKey) -> FanOut | None:
        row = self._session.fetch_one(_FIND, key_values(key))
        return _fan_out_of(row) if row else None

    def hold_of_org(self, org: str) -> None:
        self._session.fetch(_HOLD_OF_ORG, {"org": org})

    def advance(self, key: ObjectKey, after: NodeKey) -> None:
        self._session.run(_ADVANCE, {**key_values(key), "after_type": after.type, "after_id": after.id})

    def remove(self, key: ObjectKey) -> None:
        self._session.run(_REMOVE, key_values(key))


def _row_of(fan_out: FanOut) -> dict[str, object]:
    audience, after = fan_out.audience, fan_out.after
    return {
        **key_values(fan_out.object),
        "instance": fan_out.instance,
        "audience_kind": audience.kind.value,
        "audience_type": audience.type,
        "audience_id": audience.id,
        "audience_nodes": msgspec.json.encode([(node.type, node.id) for node in audience.nodes]).decode(),
        "is_deliverable": fan_out.is_deliverable,
        "after_type": after.type if after else None,
        "after_id": after.id if after else None,
    }


def _fan_out_of(row: Row) -> FanOut:
    org, object_type, object_id, instance, kind, node_type, node_id, nodes, is_deliverable, after_type, after_id = row
    named = msgspec.json.decode(nodes, type=list[tuple[str, str]])
    return FanOut(
        ObjectKey(org, object_type, object_id),
        instance,
        Audience(org, AudienceKind(kind), node_type, node_id, tuple(NodeKey(org, *node) for node in named)),
        bool(is_deliverable),
        None if after_type is None else NodeKey(org, after_type, after_id),
    )
