"""The outbox, seen from groups: what opens when a node joins, and ends when it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product

import sqlalchemy as sa
from sqlalchemy.sql.expression import ClauseElement, ColumnElement

from common.domain.addressing import GROUP_TYPE, AudienceKind
from common.domain.delivery import DeliveryState, opening
from common.domain.ids import NodeKey, ObjectKey
from common.domain.objects import SENDING, ObjectStatus
from common.store.delivery_rows import row_of
from common.store.inserts import Upsert
from common.store.keys import DELIVERY_KEY, KEY, delivery_key_values
from common.store.lookups import of_all, stands_under
from common.store.session import Row, Session
from common.store.statements import (
    ALWAYS,
    Bulk,
    RowLock,
    Statement,
    Values,
    constant,
    matching,
    one_of,
    parameter,
)
from common.store.tables import deliveries, fan_outs, objects

#: Deliveries changed by one statement.
_CHUNK = 1_000

_WRITTEN = [column for column in deliveries.columns if column.name != "position"]
_CHANGED = [*[deliveries.c[name] for name in DELIVERY_KEY], deliveries.c.due_at_ms]

# An expression, so that no planner takes the index by status, and so goes through the whole organization.
_STATUS = objects.c.status + constant("")
_ADDRESSED = (
    sa.select(*[objects.c[name] for name in KEY], objects.c.instance, objects.c.is_deliverable)
    .where(
        matching(objects, "org"),
        objects.c.audience_kind == constant(AudienceKind.GROUP),
        objects.c.audience_type == constant(GROUP_TYPE),
        objects.c.audience_id == parameter("name", objects.c.audience_id.type),
    )
    .order_by(objects.c.instance)
)
_ON_OFFER = Statement(_ADDRESSED.where(one_of(_STATUS, SENDING)))
_TO_WITHDRAW = Statement(
    _ADDRESSED.where(sa.not_(one_of(_STATUS, (ObjectStatus.DELETED,))), sa.not_(objects.c.is_placed))
)

_IS_GONE = one_of(deliveries.c.state, (DeliveryState.DELETING, DeliveryState.DELETED))
_WAS_SENT = sa.and_(deliveries.c.was_sent, deliveries.c.state != constant(DeliveryState.DELETED))
_NOT_TOLD = deliveries.c.state != constant(DeliveryState.DELETING)


def _opening(values: Values) -> ClauseElement:
    names = [column.name for column in _WRITTEN]
    selected = sa.select(*[values[name] for name in names]).where(ALWAYS)
    return Upsert(
        deliveries,
        names,
        selected.order_by(*[values[name] for name in ("instance", *DELIVERY_KEY)]),
        key=DELIVERY_KEY,
        replacing=("instance", "state", "due_at_ms", "attempts", "message"),
        only_if=_IS_GONE,
    )


def _each(values: Values, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return sa.and_(stands_under(deliveries, values, *DELIVERY_KEY), *conditions)


def _telling(values: Values) -> ClauseElement:
    told = {
        "state": constant(DeliveryState.DELETING),
        "due_at_ms": of_all(values["due_at_ms"]),
        "attempts": constant(0),
    }
    return sa.update(deliveries).where(_each(values, _WAS_SENT, _NOT_TOLD)).values(told)


_OPEN = Bulk(_WRITTEN, _opening)
_REMOVE_UNSENT = Bulk(_CHANGED, lambda values: sa.delete(deliveries).where(_each(values, sa.not_(_WAS_SENT))))
_TELL_OF_DELETION = Bulk(_CHANGED, _telling)

_HOLD_FAN_OUTS = Statement(
    sa.select(fan_outs.c.position)
    .where(
        matching(fan_outs, "org"),
        fan_outs.c.audience_kind == constant(AudienceKind.GROUP),
        fan_outs.c.audience_id == parameter("name", fan_outs.c.audience_id.type),
    )
    .order_by(fan_outs.c.position),
    lock=RowLock(fan_outs),
)


class SqlGroupDeliveries:
    """The `GroupDeliveryStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open_for_members(self, org: str, name: str, nodes: Sequence[NodeKey], now_ms: int) -> None:
        addressed = self._session.fetch(_ON_OFFER, {"org": org, "name": name})
        for chunk in _chunks(_opened(row, node, now_ms) for row, node in product(addressed, nodes)):
            self._session.run_many(_OPEN, chunk)

    def withdraw_from(self, org: str, name: str, nodes: Sequence[NodeKey], now_ms: int) -> None:
        self._session.fetch(_HOLD_FAN_OUTS, {"org": org, "name": name})
        addressed = self._session.fetch(_TO_WITHDRAW, {"org": org, "name": name})
        keys = (delivery_key_values(_key_of(row), node) for row, node in product(addressed, nodes))
        for chunk in _chunks({**key, "due_at_ms": now_ms} for key in keys):
            self._session.run_many(_REMOVE_UNSENT, chunk)
            self._session.run_many(_TELL_OF_DELETION, chunk)


def _key_of(row: Row) -> ObjectKey:
    return ObjectKey(*row[:3])


def _opened(row: Row, node: NodeKey, now_ms: int) -> Mapping[str, object]:
    *_, instance, is_deliverable = row
    return row_of(opening(_key_of(row), node, instance, bool(is_deliverable), now_ms))


def _chunks(rows: Iterator[Mapping[str, object]]) -> Iterator[list[Mapping[str, object]]]:
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk
