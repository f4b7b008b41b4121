"""The outbox."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.sql.expression import ColumnElement

from common.domain.addressing import Audience, AudienceKind
from common.domain.delivery import OPEN_STATES, REPORTED_STATES, Delivery, DeliveryState
from common.domain.ids import NodeKey, ObjectKey
from common.domain.objects import SyncObject
from common.domain.retry import ANNOUNCED_RETRY, FAILURE_RETRY, OFFER_RETRY
from common.store import openings
from common.store.delivery_rows import DELIVERY_COLUMNS, delivery_of, row_of
from common.store.group_tables import group_members
from common.store.keys import DELIVERY_KEY, KEY, NODE, delivery_key_values, key_values, node_values
from common.store.lookups import locking_look_up, of_all, stands_under
from common.store.objects import FIND_MANY_UNLOCKED, object_of
from common.store.session import Parameters, Session
from common.store.statements import (
    NO_OFFSET,
    Bulk,
    RowLock,
    Statement,
    Values,
    constant,
    matching,
    one_of,
    parameter,
    upsert,
)
from common.store.tables import NAMES_A_NODE, deliveries, objects
from common.sync.records import FanOut, Opening

#: No rule of ours puts a due time further ahead than this: such a time was set by a clock that was wrong.
LONGEST_RETRY_MS = max(
    OFFER_RETRY.longest_ms, ANNOUNCED_RETRY.longest_ms, FAILURE_RETRY.first_ms + FAILURE_RETRY.longest_ms
)

_IN_KEY_ORDER = [deliveries.c[name] for name in DELIVERY_KEY]
_OF_OBJECT = matching(deliveries, *KEY)
_OF_NODE = sa.and_(matching(deliveries, "org", *NODE), NAMES_A_NODE)
_DUE = deliveries.c.due_at_ms
_STATE = deliveries.c.state

_FIND_MANY = locking_look_up(deliveries, DELIVERY_COLUMNS, *DELIVERY_KEY)
_SAVE = upsert(deliveries, *DELIVERY_KEY)

_IS_DUE = parameter("now_ms") >= _DUE
_IS_DUE_TOO_FAR_AHEAD = parameter("now_ms") + constant(LONGEST_RETRY_MS) < _DUE


#: The OFFSET keeps PostgreSQL from turning this into a join that starts at the objects of the whole organization, which
#: it does as long as its statistics are those of a small table.
_OBJECT_EXISTS = (
    sa.select(sa.literal_column("1"))
    .select_from(objects)
    .where(*[objects.c[name] == deliveries.c[name] for name in KEY])
    .correlate(deliveries)
    .limit(constant(1))
    .offset(NO_OFFSET)
    .exists()
)


def _claim(condition: ColumnElement[bool]) -> Statement:
    claimed = sa.select(*DELIVERY_COLUMNS).where(_OF_NODE, condition, _OBJECT_EXISTS)
    oldest_first = claimed.order_by(_DUE, deliveries.c.position)
    return Statement(
        oldest_first.limit(parameter("limit")).offset(NO_OFFSET), lock=RowLock(deliveries, skip_locked=True)
    )


_CLAIM = (_claim(_IS_DUE), _claim(_IS_DUE_TOO_FAR_AHEAD))

_HAS_DUE = Statement(
    sa.select(
        sa.or_(
            sa.exists().where(_OF_NODE, _IS_DUE, _OBJECT_EXISTS),
            sa.exists().where(_OF_NODE, _IS_DUE_TOO_FAR_AHEAD, _OBJECT_EXISTS),
        )
    )
)
_NEXT_DUE_AT = Statement(sa.select(sa.func.min(_DUE)).where(_OF_NODE, constant(0) <= _DUE))
_LIST_OF_OBJECT = Statement(sa.select(*DELIVERY_COLUMNS).where(_OF_OBJECT).order_by(deliveries.c.position))
_LIST_OF_NODE = Statement(sa.select(*DELIVERY_COLUMNS).where(_OF_NODE))
#: Sorts what the node has: an index in this order would have to be kept for every delivery, for a page that is seldom asked.
_PAGE_OF_NODE = Statement(
    sa.select(*DELIVERY_COLUMNS)
    .where(
        _OF_NODE,
        one_of(_STATE, REPORTED_STATES),
        sa.tuple_(deliveries.c.type, deliveries.c.id)
        > sa.tuple_(parameter("after_type", sa.Text), parameter("after_id", sa.Text)),
    )
    .order_by(deliveries.c.type, deliveries.c.id)
    .limit(parameter("limit"))
    .offset(NO_OFFSET)
)
_HAS_MORE_THAN = Statement(
    sa.select(constant(1)).select_from(deliveries).where(_OF_OBJECT).limit(constant(1)).offset(parameter("count"))
)
_COUNT_OF_OBJECT = Statement(sa.select(sa.func.count()).select_from(deliveries).where(_OF_OBJECT))
_HAS_UNDELETED = Statement(
    sa.select(sa.exists().where(_OF_OBJECT, deliveries.c.state != constant(DeliveryState.DELETED)))
)

_REMOVE = Statement(sa.delete(deliveries).where(_OF_OBJECT, matching(deliveries, *NODE)))
_REMOVE_OF_OBJECT = Statement(sa.delete(deliveries).where(_OF_OBJECT))
_REMOVE_SETTLED = Statement(sa.delete(deliveries).where(_OF_OBJECT, constant(DeliveryState.DELETING) != _STATE))
_REMOVE_OF_NODE = Statement(sa.delete(deliveries).where(_OF_NODE))

#: May the node hold a copy?
_WAS_SENT = sa.and_(deliveries.c.was_sent, deliveries.c.state != constant(DeliveryState.DELETED))


def _due_now(condition: ColumnElement[bool], state: DeliveryState | None = None) -> Statement:
    return Statement(sa.update(deliveries).where(condition).values(_due_now_values(state)))


def _due_now_values(state: DeliveryState | None) -> dict[str, ColumnElement[object]]:
    changed = {"due_at_ms": parameter("now_ms"), "attempts": constant(0)}
    return changed if state is None else {**changed, "state": constant(state)}


#: What becomes of the deliveries of an object that a condition selects: the peer is told, or there is nothing to tell.
def _withdrawing(condition: ColumnElement[bool]) -> tuple[Statement, Statement]:
    return (
        Statement(sa.delete(deliveries).where(condition, sa.not_(_WAS_SENT))),
        _due_now(sa.and_(condition, _WAS_SENT), DeliveryState.DELETING),
    )


_TYPE = deliveries.c.node_type == parameter("audience_type", deliveries.c.node_type.type)
_ID = deliveries.c.node_id == parameter("audience_id", deliveries.c.node_id.type)
_IS_MEMBER = (
    sa.select(sa.literal_column("1"))
    .where(
        group_members.c.org == deliveries.c.org,
        group_members.c.name == parameter("audience_id", group_members.c.name.type),
        group_members.c.node_type == deliveries.c.node_type,
        group_members.c.node_id == deliveries.c.node_id,
    )
    .correlate(deliveries)
    .exists()
)
_WITHDRAW = {
    AudienceKind.TYPE: _withdrawing(sa.and_(_OF_OBJECT, sa.not_(_TYPE))),
    AudienceKind.NODE: _withdrawing(sa.and_(_OF_OBJECT, sa.not_(sa.and_(_TYPE, _ID)))),
    AudienceKind.GROUP: _withdrawing(sa.and_(_OF_OBJECT, sa.not_(_IS_MEMBER))),
    AudienceKind.PLACED: _withdrawing(_OF_OBJECT),
}


def _each(build_on: ColumnElement[bool], values: Values) -> ColumnElement[bool]:
    return sa.and_(stands_under(deliveries, values, *DELIVERY_KEY), build_on)


_WITHDRAW_UNSENT = Bulk(_IN_KEY_ORDER, lambda values: sa.delete(deliveries).where(_each(sa.not_(_WAS_SENT), values)))
_WITHDRAW_SENT = Bulk(
    [*_IN_KEY_ORDER, _DUE],
    lambda values: (
        sa.update(deliveries)
        .where(_each(_WAS_SENT, values))
        .values({**_due_now_values(DeliveryState.DELETING), "due_at_ms": of_all(values["due_at_ms"])})
    ),
)
_WITHDRAW_ALL = _due_now(
    sa.and_(_OF_OBJECT, sa.not_(one_of(_STATE, (DeliveryState.DELETED, DeliveryState.DELETING)))),
    DeliveryState.DELETING,
)

_RELEASE = _due_now(sa.and_(_OF_OBJECT, constant(DeliveryState.WAITING) == _STATE), DeliveryState.PENDING)

_REQUEUE = _due_now(sa.and_(_OF_NODE, one_of(_STATE, OPEN_STATES)))
_REQUEUE_LOST = _due_now(
    sa.and_(_OF_NODE, one_of(_STATE, (DeliveryState.ANNOUNCED, DeliveryState.DELIVERED, DeliveryState.FAILED))),
    DeliveryState.PENDING,
)


_OBJECT_IS_DELIVERABLE = (
    sa.select(constant(1))
    .select_from(objects)
    .where(*[objects.c[name] == deliveries.c[name] for name in KEY], objects.c.is_deliverable)
    .correlate(deliveries)
    .limit(constant(1))
    .offset(NO_OFFSET)
    .exists()
)
_RESEND = _due_now(
    sa.and_(
        _OF_NODE,
        sa.not_(one_of(_STATE, (DeliveryState.DELETING, DeliveryState.DELETED))),
        _OBJECT_IS_DELIVERABLE,
    ),
    DeliveryState.PENDING,
)


class SqlDeliveries:
    """The `DeliveryStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def open_many(self, openings_: Sequence[Opening]) -> None:
        openings.open_many(self._session, openings_)

    def open_page(self, fan_out: FanOut, now_ms: int, limit: int) -> NodeKey | None:
        return openings.open_page(self._session, fan_out, now_ms, limit)

    def open_for_node(self, node: NodeKey, now_ms: int) -> None:
        openings.open_for_node(self._session, node, now_ms)

    def find_many(self, ids: Sequence[tuple[ObjectKey, NodeKey]]) -> dict[tuple[ObjectKey, NodeKey], Delivery]:
        rows = self._session.fetch_many(_FIND_MANY, [delivery_key_values(key, node) for key, node in sorted(ids)])
        found = map(delivery_of, rows)
        return {(delivery.object, delivery.node): delivery for delivery in found}

    def save_many(self, deliveries: Sequence[Delivery]) -> None:
        self._session.run_many(_SAVE, [row_of(delivery) for delivery in deliveries])

    def claim_due(self, node: NodeKey, now_ms: int, limit: int) -> list[tuple[Delivery, SyncObject]]:
        claimed: list[Delivery] = []
        for statement in _CLAIM:
            left = limit - len(claimed)
            if left > 0:
                rows = self._session.fetch(statement, {**node_values(node), "now_ms": now_ms, "limit": left})
                claimed.extend(map(delivery_of, rows))
        keys = [key_values(key) for key in dict.fromkeys(delivery.object for delivery in claimed)]
        found = {item.key: item for item in map(object_of, self._session.fetch_many(FIND_MANY_UNLOCKED, keys))}
        return [(delivery, found[delivery.object]) for delivery in claimed if delivery.object in found]

    def has_due(self, node: NodeKey, now_ms: int) -> bool:
        return self._is_true(_HAS_DUE, {**node_values(node), "now_ms": now_ms})

    def next_due_at(self, node: NodeKey) -> int | None:
        row = self._session.fetch_one(_NEXT_DUE_AT, node_values(node))
        return row[0] if row else None

    def list_of_object(self, key: ObjectKey) -> list[Delivery]:
        return [delivery_of(row) for row in self._session.fetch(_LIST_OF_OBJECT, key_values(key))]

    def list_of_node(self, node: NodeKey) -> list[Delivery]:
        rows = self._session.fetch(_LIST_OF_NODE, node_values(node))
        # In SQL this order would lure a planner to the index by object, and so through the whole organization.
        return sorted(map(delivery_of, rows), key=lambda delivery: delivery.object)

    def page_of_node(self, node: NodeKey, *, after: tuple[str, str], limit: int) -> list[Delivery]:
        page = {"after_type": after[0], "after_id": after[1], "limit": limit}
        return [delivery_of(row) for row in self._session.fetch(_PAGE_OF_NODE, {**node_values(node), **page})]

    def withdraw_unaddressed(self, key: ObjectKey, audience: Audience, now_ms: int) -> None:
        if audience.kind is AudienceKind.LIST:
            self.withdraw_nodes(
                key, [d.node for d in self.list_of_object(key) if not audience.includes(d.node)], now_ms
            )
            return
        names = {"audience_type": audience.type, "audience_id": audience.id, "now_ms": now_ms}
        for statement in _WITHDRAW.get(audience.kind, ()):
            self._session.run(statement, {**key_values(key), **names})

    def withdraw_nodes(self, key: ObjectKey, nodes: Sequence[NodeKey], now_ms: int) -> None:
        self._session.run_many(_WITHDRAW_UNSENT, [delivery_key_values(key, node) for node in nodes])
        self._session.run_many(
            _WITHDRAW_SENT, [{**delivery_key_values(key, node), "due_at_ms": now_ms} for node in nodes]
        )

    def release(self, key: ObjectKey, now_ms: int) -> None:
        self._session.run(_RELEASE, {**key_values(key), "now_ms": now_ms})

    def has_more_than(self, key: ObjectKey, count: int) -> bool:
        return self._session.fetch_one(_HAS_MORE_THAN, {**key_values(key), "count": count}) is not None

    def withdraw_all(self, key: ObjectKey, now_ms: int) -> int:
        self._session.run(_WITHDRAW_ALL, {**key_values(key), "now_ms": now_ms})
        row = self._session.fetch_one(_COUNT_OF_OBJECT, key_values(key))
        return int(row[0]) if row else 0

    def remove_settled(self, key: ObjectKey) -> int:
        self._session.run(_REMOVE_SETTLED, key_values(key))
        row = self._session.fetch_one(_COUNT_OF_OBJECT, key_values(key))
        return int(row[0]) if row else 0

    def has_undeleted(self, key: ObjectKey) -> bool:
        return self._is_true(_HAS_UNDELETED, key_values(key))

    def remove(self, key: ObjectKey, node: NodeKey) -> None:
        self._session.run(_REMOVE, delivery_key_values(key, node))

    def remove_of_object(self, key: ObjectKey) -> None:
        self._session.run(_REMOVE_OF_OBJECT, key_values(key))

    def remove_of_node(self, node: NodeKey) -> None:
        self._session.run(_REMOVE_OF_NODE, node_values(node))

    def resend_to_node(self, node: NodeKey, now_ms: int) -> None:
        self._session.run(_RESEND, {**node_values(node), "now_ms": now_ms})

    def requeue_of_node(self, node: NodeKey, now_ms: int, *, lost_everything: bool) -> None:
        values = {**node_values(node), "now_ms": now_ms}
        if lost_everything:
            self._session.run(_REQUEUE_LOST, values)
        self._session.run(_REQUEUE, values)

    def _is_true(self, statement: Statement, values: Parameters) -> bool:
        row = self._session.fetch_one(statement, values)
        return row is not None and bool(row[0])
