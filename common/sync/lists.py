"""Lists of objects, as far as a caller is shown them (rest-api 2.2, 3.1 to 3.5). Each call is one piece of a list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import msgspec

from common.domain.access import Visibility
from common.domain.ids import ObjectKey
from common.domain.objects import LISTED_AS_UPDATED, ObjectStatus, SyncObject
from common.domain.selection import START, ListPosition, Selection
from common.domain.services import is_open_to, was_dropped
from common.sync.fan_out import FanOuts, is_shown
from common.sync.object_lists import MOST_DESTINATIONS, Destination
from common.sync.ports import UnitOfWork

T = TypeVar("T")

#: Objects whose destinations are looked up before anything is known about how many each has.
_FIRST_OBJECTS = 16


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A piece of a list."""

    items: list[T]
    #: The list goes on beyond this position, although perhaps with nothing the caller is shown; None: that was all.
    end: ListPosition | None


@dataclass(frozen=True, slots=True)
class WithDestinations:
    """An object and who gets it."""

    item: SyncObject
    destinations: list[Destination]


def objects_page(
    uow: UnitOfWork, selection: Selection, visible: Visibility, after: ListPosition, limit: int
) -> Listed[SyncObject]:
    """What the selection includes, beyond `after`. At most `limit` objects."""
    page = _candidates(uow, selection, visible, after, limit)
    service = visible.service
    if service is None:
        return page
    return Listed([item for item in page.items if is_open_to(item.meta, service)], page.end)


def updated_page(
    uow: UnitOfWork,
    org: str,
    object_type: str,
    visible: Visibility,
    *,
    include_received: bool,
    after: ListPosition = START,
    limit: int,
) -> Listed[SyncObject]:
    """What the polling call shows (rest-api 3.4).

    To a service that a later policy dropped, an object is a deleted one until it confirms that.
    """
    statuses = LISTED_AS_UPDATED | ({ObjectStatus.RECEIVED} if include_received else set())
    page = _candidates(uow, Selection(org, object_type, statuses=statuses), visible, after, limit)
    return Listed([shown for item in page.items if (shown := as_updated(item, visible)) is not None], page.end)


def as_updated(item: SyncObject, visible: Visibility) -> SyncObject | None:
    """The object as the polling call shows it to this caller; None: not at all. The caller sees its organization."""
    service = visible.service
    if service is None:
        return item if visible.covers(item.key.type) or (visible.public and item.meta.public) else None
    if is_open_to(item.meta, service):
        return item
    if was_dropped(item, service):
        return replace(item, meta=msgspec.structs.replace(item.meta, deleted=True))
    return None


def destinations_page(
    uow: UnitOfWork,
    fan_outs: FanOuts | None,
    selection: Selection,
    visible: Visibility,
    after: ListPosition,
    limit: int,
) -> Listed[WithDestinations]:
    """Objects with their destinations; fewer than `limit` objects when these have very many.

    Without `fan_outs` nobody gets them: an edge shows no destinations.
    """
    if fan_outs is None:
        page = objects_page(uow, selection, visible, after, limit)
        return Listed([WithDestinations(item, []) for item in page.items], page.end)
    found: list[WithDestinations] = []
    end: ListPosition | None = after
    count, at_once = 0, _FIRST_OBJECTS
    while end is not None and len(found) < limit and count < MOST_DESTINATIONS:
        page = objects_page(uow, selection, visible, end, min(at_once, limit - len(found)))
        piece = _with_destinations(uow, fan_outs, page)
        found += piece.items
        count += sum(len(each.destinations) for each in piece.items)
        # Objects like those seen so far would fill the rest.
        at_once = 1 + (MOST_DESTINATIONS - count) * len(found) // count if count else limit
        end = piece.end
    return Listed(found, end)


def types_page(uow: UnitOfWork, org: str, visible: Visibility, after: str, limit: int) -> Listed[str]:
    """Types of which the caller is shown any object (rest-api 3.3)."""
    types = _types(uow, org, visible, after, limit + 1)
    return Listed(types[:limit], ListPosition(types[limit - 1]) if len(types) > limit else None)


def has_any(uow: UnitOfWork, selection: Selection) -> bool:
    """Does the selection include anything at all, shown to the caller or not?"""
    return bool(uow.object_lists.page(selection, START, 1))


def _candidates(
    uow: UnitOfWork, selection: Selection, visible: Visibility, after: ListPosition, limit: int
) -> Listed[SyncObject]:
    items = _covered(uow, selection, visible, after, limit + 1)
    return Listed(items[:limit], position_of(items[limit - 1].key) if len(items) > limit else None)


def _covered(
    uow: UnitOfWork, selection: Selection, visible: Visibility, after: ListPosition, limit: int
) -> list[SyncObject]:
    if visible.everything:
        return uow.object_lists.page(selection, after, limit)
    found: list[SyncObject] = []
    for object_type in _types_within(selection, visible, after):
        if len(found) >= limit:
            break
        found += uow.object_lists.page(replace(selection, type=object_type), after, limit - len(found))
    if visible.public and selection.type not in visible.types:
        found += uow.object_lists.page(replace(selection, is_public=True), after, limit)
    return _in_order(found)[:limit]


def _types_within(selection: Selection, visible: Visibility, after: ListPosition) -> list[str]:
    types = visible.types if selection.type is None else visible.types & {selection.type}
    return sorted(each for each in types if each >= after.type)


def _in_order(items: Iterable[SyncObject]) -> list[SyncObject]:
    """Each once."""
    by_key = {item.key: item for item in items}
    return [by_key[key] for key in sorted(by_key)]


def _types(uow: UnitOfWork, org: str, visible: Visibility, after: str, limit: int) -> list[str]:
    if visible.everything:
        return uow.object_lists.types(org, after, limit, is_public=False)
    named = [each for each in sorted(visible.types) if each > after and has_any(uow, Selection(org, each))]
    public = uow.object_lists.types(org, after, limit, is_public=True) if visible.public else []
    return sorted({*named, *public})[:limit]


def _with_destinations(uow: UnitOfWork, fan_outs: FanOuts, page: Listed[SyncObject]) -> Listed[WithDestinations]:
    """The page, or as much of its beginning as has not too many destinations."""
    items, end = page.items, page.end
    keys = [item.key for item in items]
    while (opened := uow.object_lists.destinations(keys)) is None:
        keys = keys[: max(1, len(keys) // 4)]
        end = position_of(keys[-1])
    unfinished = uow.object_lists.being_fanned_out(keys)

    def destinations(item: SyncObject) -> list[Destination]:
        if item.key in unfinished:
            every = fan_outs.destinations(uow, item.key)
            return [Destination(each.node.type, each.node.id, each.state, each.message) for each in every]
        return [each for each in opened.get(item.key, ()) if is_shown(item, each.state)]

    return Listed([WithDestinations(item, destinations(item)) for item in items[: len(keys)]], end)


def position_of(key: ObjectKey) -> ListPosition:
    return ListPosition(key.type, key.id)
