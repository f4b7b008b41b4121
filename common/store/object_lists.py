"""Lists of objects."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from common.domain.delivery import DeliveryState
from common.domain.ids import ObjectKey
from common.domain.objects import SyncObject
from common.domain.selection import ListPosition, Selection
from common.store.keys import KEY, NODE, key_values
from common.store.objects import find_object, object_of
from common.store.selection_statements import Driver, driver_of, statements_for, values_of
from common.store.session import Parameters, Row, Session
from common.store.statements import NO_OFFSET, Bulk, Statement, Values, constant, joined, matching, parameter
from common.store.tables import deliveries, fan_outs, objects
from common.sync.object_lists import MOST_DESTINATIONS, Destination

_BY_TYPE_AND_ID = slice(1, 3)
_position = itemgetter(0)
_STATES = {state.value: state for state in DeliveryState}


def _types(*conditions: sa.ColumnElement[bool]) -> Statement:
    """Distinct types without reading the objects of each: from one type to the next."""

    def next_type(after: sa.ColumnElement[str]) -> sa.ScalarSelect[str]:
        found = sa.select(sa.func.min(objects.c.type)).where(
            matching(objects, "org"), objects.c.type > after, *conditions
        )
        return found.correlate_except(objects).scalar_subquery()

    types = sa.select(next_type(parameter("after", objects.c.type.type)).label("type")).cte("types", recursive=True)
    types = types.union_all(sa.select(next_type(types.c.type)).where(types.c.type.is_not(None)))
    listed = sa.select(types.c.type).where(types.c.type.is_not(None))
    return Statement(listed.limit(parameter("limit")).offset(NO_OFFSET), is_planned_anew=True)


_TYPES = _types()
_PUBLIC_TYPES = _types(sa.literal_column("objects.is_public"))

_DESTINATION_COLUMNS = [deliveries.c[name] for name in ("position", *KEY, *NODE, "state", "message")]


def _destinations_of(values: Values) -> sa.Select[Any]:
    return sa.select(*_DESTINATION_COLUMNS).where(joined(deliveries, values, *KEY))


_DESTINATIONS_OF_ONE = Bulk([deliveries.c[name] for name in KEY], _destinations_of)
_DESTINATIONS = Bulk(
    [deliveries.c[name] for name in KEY],
    lambda values: _destinations_of(values).limit(constant(MOST_DESTINATIONS + 1)).offset(NO_OFFSET),
)
_FAN_OUTS = Bulk(
    [fan_outs.c[name] for name in KEY],
    lambda values: sa.select(*[fan_outs.c[name] for name in KEY]).where(joined(fan_outs, values, *KEY)),
)


class SqlObjectLists:
    """The `ObjectListStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def page(self, selection: Selection, after: ListPosition, limit: int) -> list[SyncObject]:
        if selection.type is not None and after.type > selection.type:
            return []
        if selection.type is not None and selection.id is not None:
            return self._single(selection, after, limit)
        rows = self._rows(selection, values_of(selection, after, limit))
        return [object_of(row) for row in rows[:limit]]

    def types(self, org: str, after: str, limit: int, *, is_public: bool) -> list[str]:
        statement = _PUBLIC_TYPES if is_public else _TYPES
        return [name for (name,) in self._session.fetch(statement, {"org": org, "after": after, "limit": limit})]

    def destinations(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, list[Destination]] | None:
        is_single = len(keys) == 1
        rows = self._session.fetch_many(
            _DESTINATIONS_OF_ONE if is_single else _DESTINATIONS, [key_values(key) for key in keys]
        )
        if len(rows) > MOST_DESTINATIONS and not is_single:
            return None
        found: dict[tuple[str, ...], list[Destination]] = {}
        for _, org, object_type, object_id, node_type, node_id, state, message in sorted(rows, key=_position):
            destination = Destination(node_type, node_id, _STATES[state], message)
            found.setdefault((org, object_type, object_id), []).append(destination)
        return {ObjectKey(*key): destinations for key, destinations in found.items()}

    def being_fanned_out(self, keys: Sequence[ObjectKey]) -> set[ObjectKey]:
        return {ObjectKey(*row) for row in self._session.fetch_many(_FAN_OUTS, [key_values(key) for key in keys])}

    def _single(self, selection: Selection, after: ListPosition, limit: int) -> list[SyncObject]:
        assert selection.type is not None
        assert selection.id is not None
        if limit < 1 or ListPosition(selection.type, selection.id) <= after:
            return []
        found = find_object(self._session, ObjectKey(selection.org, selection.type, selection.id))
        return [found] if found is not None and selection.includes(found) else []

    def _rows(self, selection: Selection, values: Parameters) -> list[Row]:
        driver = driver_of(selection)
        statements = statements_for(driver, has_type=selection.type is not None)
        runs = [values]
        if driver is Driver.STATUS:
            runs = [{**values, "status": status.value} for status in sorted(selection.statuses or ())]
        rows = [row for statement in statements for run in runs for row in self._session.fetch(statement, run)]
        if len(statements) * len(runs) > 1:
            # Code points sort as their UTF-8 does.
            rows.sort(key=lambda row: tuple(row[_BY_TYPE_AND_ID]))
        return rows
