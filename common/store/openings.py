"""Fan-out: the deliveries that a new instance, or a new node, opens. The nodes are found by the database itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.sql.expression import ClauseElement, ColumnElement

from common.domain.addressing import AudienceKind
from common.domain.delivery import Delivery, DeliveryState, opening
from common.domain.ids import NodeKey
from common.domain.objects import SENDING
from common.store.delivery_rows import row_of
from common.store.group_tables import group_members
from common.store.inserts import Insert, Upsert, new_value
from common.store.keys import DELIVERY_KEY, KEY, key_values, node_values
from common.store.session import Session
from common.store.statements import (
    ALWAYS,
    NO_OFFSET,
    Bulk,
    Statement,
    Values,
    constant,
    matching,
    one_of,
    parameter,
)
from common.store.tables import deliveries, nodes, object_targets, objects
from common.sync.records import FanOut, Opening

_WRITTEN = [column for column in deliveries.columns if column.name != "position"]
_OPENED = [
    *[deliveries.c[name] for name in ("org", "type", "id", "instance", "state", "due_at_ms")],
    *[objects.c[name] for name in ("audience_type", "audience_id")],
]
_RENEWED = ("instance", "state", "due_at_ms", "attempts", "message")

#: How the nodes of an audience are found; an explicit list is taken as it is.
_MEMBERSHIP: dict[AudienceKind, Callable[[Values], ColumnElement[bool]]] = {
    AudienceKind.EVERYONE: lambda values: nodes.c.org == values["org"],
    AudienceKind.TYPE: lambda values: sa.and_(nodes.c.org == values["org"], nodes.c.type == values["audience_type"]),
    AudienceKind.NODE: lambda values: sa.and_(
        nodes.c.org == values["org"], nodes.c.type == values["audience_type"], nodes.c.id == values["audience_id"]
    ),
    AudienceKind.GROUP: lambda values: sa.and_(
        group_members.c.org == values["org"], group_members.c.name == values["audience_id"]
    ),
}

_NODE_COLUMNS = {
    **dict.fromkeys(_MEMBERSHIP, (nodes.c.type, nodes.c.id)),
    AudienceKind.GROUP: (group_members.c.node_type, group_members.c.node_id),
}


def _deliveries_of(values: Values, node_type: ColumnElement[str], node_id: ColumnElement[str]) -> sa.Select[tuple[str]]:
    return sa.select(
        values["org"],
        values["type"],
        values["id"],
        node_type,
        node_id,
        values["instance"],
        values["state"],
        values["due_at_ms"],
        constant(0),
        constant(""),
        sa.false(),
    )


def _renewing(selected: sa.Select[tuple[str]], *, only_older: bool = False) -> ClauseElement:
    return Upsert(
        deliveries,
        [column.name for column in _WRITTEN],
        selected,
        key=DELIVERY_KEY,
        replacing=_RENEWED,
        only_if=deliveries.c.instance < new_value(deliveries.c.instance) if only_older else None,
    )


def _opening_to(kind: AudienceKind) -> Callable[[Values], ClauseElement]:
    node = _NODE_COLUMNS[kind]

    def build(values: Values) -> ClauseElement:
        selected = _deliveries_of(values, *node).where(_MEMBERSHIP[kind](values))
        of_many = [values[name] for name in KEY if not isinstance(values[name], sa.BindParameter)]
        return _renewing(selected.order_by(*of_many, *node))

    return build


def _opening_named(values: Values) -> ClauseElement:
    return _renewing(_deliveries_of(values, values["node_type"], values["node_id"]).where(ALWAYS))


#: Whoever is a destination by now, and is not being told that it is one no more.
_IS_DESTINATION = sa.not_(one_of(deliveries.c.state, (DeliveryState.DELETING, DeliveryState.DELETED)))


_FAN_OUT = {column.name: parameter(column.name, column.type) for column in _OPENED}
_RENEWAL = {
    **{name: _FAN_OUT[name] for name in ("instance", "state", "due_at_ms")},
    "attempts": constant(0),
    "message": constant(""),
}
# One by one: PostgreSQL could keep a plan of a bulk that goes through the whole table.
_RENEW_PLACED = Statement(sa.update(deliveries).where(matching(deliveries, *KEY), _IS_DESTINATION).values(_RENEWAL))

_OPEN = {kind: Bulk(_OPENED, _opening_to(kind)) for kind in _MEMBERSHIP}
_OPEN_NAMED = Bulk(_WRITTEN, _opening_named)


#: The part of a node's key that the pages of an audience run through.
_PAGE_COLUMNS = {
    AudienceKind.EVERYONE: (nodes.c.type, nodes.c.id),
    AudienceKind.TYPE: (nodes.c.id,),
    AudienceKind.NODE: (nodes.c.id,),
    AudienceKind.GROUP: _NODE_COLUMNS[AudienceKind.GROUP],
}


def _node_named(prefix: str, kind: AudienceKind) -> sa.Tuple:
    return sa.tuple_(
        *[parameter(f"{prefix}_{column.name.removeprefix('node_')}", sa.Text) for column in _PAGE_COLUMNS[kind]]
    )


def _page_of(kind: AudienceKind) -> Statement:
    columns = _PAGE_COLUMNS[kind]
    is_beyond = sa.tuple_(*columns) > _node_named("after", kind)
    page = sa.select(*_NODE_COLUMNS[kind]).where(_MEMBERSHIP[kind](_FAN_OUT), is_beyond)
    return Statement(page.order_by(*columns).limit(parameter("limit")).offset(NO_OFFSET))


def _open_page_of(kind: AudienceKind) -> Statement:
    columns = _PAGE_COLUMNS[kind]
    selected = _deliveries_of(_FAN_OUT, *_NODE_COLUMNS[kind]).where(
        _MEMBERSHIP[kind](_FAN_OUT),
        sa.tuple_(*columns) > _node_named("after", kind),
        sa.tuple_(*columns) <= _node_named("last", kind),
    )
    return Statement(_renewing(selected.order_by(*columns), only_older=True))


_PLACED_NODE = (deliveries.c.node_type, deliveries.c.node_id)
_OF_PLACED_OBJECT = matching(deliveries, *KEY)
_IS_BEYOND = sa.tuple_(*_PLACED_NODE) > sa.tuple_(parameter("after_type", sa.Text), parameter("after_id", sa.Text))
_PLACED_PAGE = Statement(
    sa.select(*_PLACED_NODE)
    .where(_OF_PLACED_OBJECT, _IS_BEYOND)
    .order_by(*_PLACED_NODE)
    .limit(parameter("limit"))
    .offset(NO_OFFSET)
)
_RENEW_PLACED_PAGE = Statement(
    sa.update(deliveries)
    .where(
        _OF_PLACED_OBJECT,
        _IS_BEYOND,
        sa.tuple_(*_PLACED_NODE) <= sa.tuple_(parameter("last_type", sa.Text), parameter("last_id", sa.Text)),
        _IS_DESTINATION,
        deliveries.c.instance < _FAN_OUT["instance"],
    )
    .values(_RENEWAL)
)

_PAGE = {kind: _page_of(kind) for kind in _MEMBERSHIP}
_OPEN_PAGE = {kind: _open_page_of(kind) for kind in _MEMBERSHIP}
_OPEN_NAMED_IF_OLDER = Bulk(
    _WRITTEN,
    lambda values: _renewing(
        _deliveries_of(values, values["node_type"], values["node_id"]).where(ALWAYS), only_older=True
    ),
)


def _catching_up(*conditions: ColumnElement[bool]) -> Statement:
    """Open what a new node is addressed by. Objects come in the order in which they were published."""
    values: Values = {
        **{name: objects.c[name] for name in ("org", "type", "id", "instance")},
        "state": sa.case(
            (objects.c.is_deliverable, constant(DeliveryState.PENDING)), else_=constant(DeliveryState.WAITING)
        ),
        "due_at_ms": sa.case((objects.c.is_deliverable, parameter("now_ms"))),
    }
    node = (parameter("node_type", nodes.c.type.type), parameter("node_id", nodes.c.id.type))
    # An expression, or SQLite would take the index by status, and so go through the whole organization.
    is_addressing = one_of(objects.c.status + constant(""), SENDING)
    selected = _deliveries_of(values, *node).where(is_addressing, *conditions)
    in_order = selected.order_by(objects.c.instance)
    return Statement(Insert(deliveries, [column.name for column in _WRITTEN], in_order))


_TYPE = parameter("node_type", sa.Text)
_ID = parameter("node_id", sa.Text)

_CATCH_UP = [
    _catching_up(matching(objects, "org"), objects.c.audience_kind == constant(AudienceKind.EVERYONE)),
    _catching_up(
        matching(objects, "org"),
        objects.c.audience_kind == constant(AudienceKind.TYPE),
        objects.c.audience_type == _TYPE,
    ),
    _catching_up(
        matching(objects, "org"),
        objects.c.audience_kind == constant(AudienceKind.NODE),
        objects.c.audience_type == _TYPE,
        objects.c.audience_id == _ID,
    ),
    # Explicit lists: nothing but these has targets of its current instance.
    _catching_up(
        matching(object_targets, "org", "node_type", "node_id"),
        object_targets.c.org == objects.c.org,
        object_targets.c.type == objects.c.type,
        object_targets.c.id == objects.c.id,
        object_targets.c.instance == objects.c.instance,
    ),
]


def open_many(session: Session, openings: Sequence[Opening]) -> None:
    """See `DeliveryStore.open_many`."""
    by_kind: dict[AudienceKind, list[dict[str, object]]] = {kind: [] for kind in _OPEN}
    named: list[dict[str, object]] = []
    placed: list[dict[str, object]] = []
    for item in openings:
        kind = item.audience.kind
        if kind is AudienceKind.LIST:
            named.extend(row_of(delivery) for delivery in _opened(item, item.now_ms, item.audience.nodes))
        elif kind is AudienceKind.PLACED:
            placed.append(_opening_values(item, item.now_ms))
        elif kind in by_kind:
            by_kind[kind].append(_opening_values(item, item.now_ms))
    for kind, rows in by_kind.items():
        session.run_many(_OPEN[kind], rows)
    session.run_many(_OPEN_NAMED, named)
    for row in placed:
        session.run(_RENEW_PLACED, row)


def open_page(session: Session, fan_out: FanOut, now_ms: int, limit: int) -> NodeKey | None:
    """See `DeliveryStore.open_page`."""
    kind = fan_out.audience.kind
    if kind is AudienceKind.LIST:
        return _open_page_of_list(session, fan_out, now_ms, limit)
    # An empty name comes before every other.
    after = fan_out.after or NodeKey(fan_out.audience.org, "", "")
    values = {**_opening_values(fan_out, now_ms), "after_type": after.type, "after_id": after.id}
    find, renew = (_PLACED_PAGE, _RENEW_PLACED_PAGE) if kind is AudienceKind.PLACED else (_PAGE[kind], _OPEN_PAGE[kind])
    page = session.fetch(find, {**values, "limit": limit})
    if not page:
        return None
    last_type, last_id = page[-1]
    session.run(renew, {**values, "last_type": last_type, "last_id": last_id})
    return NodeKey(fan_out.audience.org, last_type, last_id)


def open_for_node(session: Session, node: NodeKey, now_ms: int) -> None:
    """See `DeliveryStore.open_for_node`."""
    for statement in _CATCH_UP:
        session.run(statement, {**node_values(node), "now_ms": now_ms})


def _open_page_of_list(session: Session, fan_out: FanOut, now_ms: int, limit: int) -> NodeKey | None:
    left = (node for node in sorted(fan_out.audience.nodes) if fan_out.after is None or node > fan_out.after)
    page = list(islice(left, limit))
    session.run_many(_OPEN_NAMED_IF_OLDER, [row_of(delivery) for delivery in _opened(fan_out, now_ms, page)])
    return page[-1] if page else None


def _opened(item: Opening | FanOut, now_ms: int, to: Sequence[NodeKey]) -> list[Delivery]:
    return [opening(item.object, node, item.instance, item.is_deliverable, now_ms) for node in to]


def _opening_values(item: Opening | FanOut, now_ms: int) -> dict[str, object]:
    return {
        **key_values(item.object),
        "instance": item.instance,
        "state": (DeliveryState.PENDING if item.is_deliverable else DeliveryState.WAITING).value,
        "due_at_ms": now_ms if item.is_deliverable else None,
        "audience_type": item.audience.type,
        "audience_id": item.audience.id,
    }
