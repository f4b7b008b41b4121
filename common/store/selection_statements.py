"""From a selection of objects to SQL.

A selection has many optional conditions. The one that leaves the fewest objects drives: it has an index, and its
statements state it. The others are checked on what these find; each has a parameter that says whether it is asked at
all, so there are few texts, however many combinations. PostgreSQL plans them for the values at hand, and so folds away
what is not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.sql.expression import ColumnElement

from common.domain.addressing import AudienceKind
from common.domain.objects import ObjectStatus
from common.domain.selection import ListPosition, Selection
from common.store.keys import KEY
from common.store.objects import OBJECT_COLUMNS
from common.store.policy_tables import policy_terms
from common.store.policy_terms import property_term, service_term
from common.store.statements import NO_OFFSET, Statement, constant, matching, parameter
from common.store.tables import object_targets, objects

_Selected: TypeAlias = sa.Select[Any]

#: Beside an OFFSET SQLite wants a LIMIT.
_NO_LIMIT = constant(2**62)


class Driver(Enum):
    """What finds the objects."""

    STATUS = auto()
    TERM = auto()
    DESTINATION = auto()
    POLICY_TIME = auto()
    POLICY_NEWS = auto()
    POLICY = auto()
    DELETED = auto()
    EXPIRATION = auto()
    PUBLIC = auto()
    KEY = auto()


@dataclass(frozen=True, slots=True)
class _Way:
    """One statement of a driver: through the objects that meet its conditions, or those that such rows mention."""

    conditions: tuple[ColumnElement[bool], ...] = ()
    mentions: sa.Table | None = None


def driver_of(selection: Selection) -> Driver:
    if selection.statuses is not None:
        return Driver.STATUS
    if selection.policy_service is not None or selection.policy_property is not None:
        return Driver.TERM
    if selection.destination_type is not None and selection.destination_id is not None:
        return Driver.DESTINATION
    if selection.policy_since is not None:
        return Driver.POLICY_TIME
    if selection.is_policy_news:
        return Driver.POLICY_NEWS
    if selection.is_deleted:
        return Driver.DELETED
    if selection.expires_by_ms is not None:
        return Driver.EXPIRATION
    if selection.has_policy:
        return Driver.POLICY
    return Driver.PUBLIC if selection.is_public else Driver.KEY


@cache
def statements_for(driver: Driver, *, has_type: bool) -> Sequence[Statement]:
    """What the driver finds is what all of these find together, each in the order of lists and up to `limit`."""
    return [_statement(driver, way, has_type=has_type) for way in _WAYS[driver]]


def values_of(selection: Selection, after: ListPosition, limit: int) -> dict[str, object]:
    """The parameters of every statement, without the status that those of Driver.STATUS run for."""
    service, name = selection.policy_service, selection.policy_property
    terms = [service_term(service)] if service else []
    terms += [property_term(name)] if name is not None else []
    return {
        "org": selection.org,
        "type": selection.type,
        "after_type": after.type,
        "after_id": after.id if selection.type in (None, after.type) else "",
        "limit": limit,
        "is_deleted": _number_of(selection.is_deleted),
        "has_no_data": _number_of(selection.has_no_data),
        # Terms of a policy that is no more may still be there.
        "has_policy": _number_of(True if terms and selection.has_policy is None else selection.has_policy),
        "policy_since": selection.policy_since,
        "is_policy_news": _number_of(selection.is_policy_news or None),
        "term": terms[0] if terms else None,
        "other_term": terms[1] if len(terms) > 1 else None,
        "destination_type": selection.destination_type,
        "destination_id": selection.destination_id,
        "expires_by_ms": selection.expires_by_ms,
        "is_public": _number_of(selection.is_public or None),
    }


def _statement(driver: Driver, way: _Way, *, has_type: bool) -> Statement:
    selected = sa.select(*OBJECT_COLUMNS)
    if way.mentions is None:
        selected = _running_through(objects, selected.where(*way.conditions), has_type=has_type)
    else:
        found = _running_through(way.mentions, sa.select(way.mentions).where(*way.conditions), has_type=has_type)
        # The OFFSET keeps PostgreSQL from starting at the objects, and so going through many that nothing mentions.
        mentions = found.limit(_NO_LIMIT).offset(NO_OFFSET).subquery()
        selected = selected.where(*[objects.c[name] == mentions.c[name] for name in KEY])
        if "instance" in mentions.c:
            selected = selected.where(objects.c.instance == mentions.c.instance)
        selected = selected.order_by(mentions.c.type, mentions.c.id)
    checks = (_IS_PUBLIC_IF_ASKED,) if driver is Driver.STATUS else _CHECKS
    return Statement(
        selected.where(*checks).limit(parameter("limit")).offset(NO_OFFSET),
        is_planned_anew=driver is not Driver.STATUS,
    )


def _running_through(table: sa.Table, selected: _Selected, *, has_type: bool) -> _Selected:
    """In the order of lists, beyond the position that the parameters say."""
    selected = selected.where(matching(table, "org")).order_by(table.c.type, table.c.id)
    after_id = parameter("after_id", table.c.id.type)
    if has_type:
        return selected.where(matching(table, "type"), table.c.id > after_id)
    after = sa.tuple_(parameter("after_type", table.c.type.type), after_id)
    return selected.where(sa.tuple_(table.c.type, table.c.id) > after)


def _if_asked(name: str, condition: ColumnElement[bool], type_: type = sa.BigInteger) -> ColumnElement[bool]:
    return sa.or_(parameter(name, type_).is_(None), condition)


def _as_asked(name: str, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return _if_asked(name, condition == (parameter(name) == constant(1)))


def _is(column: sa.Column[str], name: str) -> ColumnElement[bool]:
    return column == parameter(name, column.type)


def _has_row_in(table: sa.Table, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Beside the object at hand. The OFFSET keeps PostgreSQL from starting at the rows and going back to objects."""
    rows = sa.select(constant(1)).select_from(table).where(*[table.c[name] == objects.c[name] for name in KEY])
    return rows.where(*conditions).correlate(objects).limit(constant(1)).offset(NO_OFFSET).exists()


def _number_of(flag: bool | None) -> int | None:
    return None if flag is None else int(flag)


# Bare text: what SQLAlchemy makes of a flag is not what SQLite finds in the condition of an index.
_IS_PUBLIC: ColumnElement[bool] = sa.literal_column("objects.is_public")

_IS_UNSEEN = objects.c.is_policy_received == sa.false()

_HAS_POLICY = objects.c.policy_timestamp.is_not(None)
_IS_POLICY_RECENT = objects.c.policy_timestamp >= parameter("policy_since")
_IS_DELETED = objects.c.status == constant(ObjectStatus.DELETED)
_EXPIRES_IN_TIME = objects.c.expires_at_ms <= parameter("expires_by_ms")

#: Says what the index of destinations does.
_HAS_OWN_DESTINATION = objects.c.audience_type != constant("")
_IS_OF_LIST = sa.and_(
    objects.c.audience_kind == constant(AudienceKind.LIST), object_targets.c.instance == objects.c.instance
)
_IS_FOR_TYPE = sa.and_(
    _HAS_OWN_DESTINATION,
    _is(objects.c.audience_type, "destination_type"),
    _if_asked("destination_id", _is(objects.c.audience_id, "destination_id"), sa.Text),
)
_LISTS_TYPE = _has_row_in(
    object_targets,
    _IS_OF_LIST,
    _is(object_targets.c.node_type, "destination_type"),
    _if_asked("destination_id", _is(object_targets.c.node_id, "destination_id"), sa.Text),
)

_IS_PUBLIC_IF_ASKED = _if_asked("is_public", _IS_PUBLIC)

#: Everything that can be asked for and does not drive. What does is checked once more, which costs nothing to speak of.
_CHECKS = (
    _IS_PUBLIC_IF_ASKED,
    _as_asked("is_deleted", _IS_DELETED),
    _as_asked("has_no_data", sa.literal_column("objects.has_no_data")),
    _as_asked("has_policy", _HAS_POLICY),
    _if_asked("policy_since", _IS_POLICY_RECENT),
    _if_asked("is_policy_news", sa.and_(_HAS_POLICY, _IS_UNSEEN)),
    _if_asked("other_term", _has_row_in(policy_terms, _is(policy_terms.c.term, "other_term")), sa.Text),
    _if_asked("destination_type", sa.or_(_IS_FOR_TYPE, _LISTS_TYPE), sa.Text),
    _if_asked("expires_by_ms", _EXPIRES_IN_TIME),
)

_WAYS: dict[Driver, tuple[_Way, ...]] = {
    Driver.STATUS: (_Way((matching(objects, "status"),)),),
    Driver.TERM: (_Way((_is(policy_terms.c.term, "term"),), mentions=policy_terms),),
    Driver.DESTINATION: (
        _Way(
            (
                _HAS_OWN_DESTINATION,
                _is(objects.c.audience_type, "destination_type"),
                _is(objects.c.audience_id, "destination_id"),
            )
        ),
        _Way(
            (
                _is(object_targets.c.node_type, "destination_type"),
                _is(object_targets.c.node_id, "destination_id"),
            ),
            mentions=object_targets,
        ),
    ),
    Driver.POLICY_TIME: (_Way((_HAS_POLICY, _IS_POLICY_RECENT)),),
    Driver.POLICY_NEWS: (_Way((_HAS_POLICY, _IS_UNSEEN)),),
    Driver.POLICY: (_Way((_HAS_POLICY,)),),
    Driver.DELETED: (_Way((_IS_DELETED,)),),
    Driver.EXPIRATION: (_Way((objects.c.expires_at_ms.is_not(None), _EXPIRES_IN_TIME)),),
    Driver.PUBLIC: (_Way((_IS_PUBLIC,)),),
    Driver.KEY: (_Way(),),
}
