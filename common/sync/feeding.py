"""What a reader of changes is given next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from common.domain.objects import SyncObject
from common.sync.changes import Position, nothing_of
from common.sync.ports import UnitOfWork


@dataclass(frozen=True, slots=True)
class Question:
    """Which changes are asked for."""

    org: str
    types: tuple[str, ...]
    #: Also objects that were marked received since.
    with_received: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """`objects` in the order in which they changed, and where a reader is that has taken them."""

    objects: Sequence[SyncObject]
    position: Position
    #: There is nothing more for now.
    is_complete: bool
    #: The reader came with a position this store does not know, and begins anew.
    starts_over: bool = False


def read_changes(uow: UnitOfWork, asked: Question, since: Position | None, limit: int) -> Reading:
    """About `limit` objects that came to be shown after `since`, in whole transactions; None: since the beginning."""
    now = uow.changes.position()
    starts_over = since is not None and not since.can_precede(now)
    if since is None or starts_over:
        since = nothing_of(now.epoch)
    found = _list_after(uow, asked, since, limit + 1)
    if len(found) <= limit:
        return Reading(found, now, is_complete=True, starts_over=starts_over)
    cut = found[limit].change
    taken = [item for item in found if item.change < cut] or _list_numbered(uow, asked, [cut])
    newest = max(since.newest, taken[-1].change)
    left = {item.change for item in found if item.change > taken[-1].change}
    pending = frozenset(number for number in now.pending | left if number <= newest)
    return Reading(taken, Position(now.epoch, newest, pending), is_complete=False, starts_over=starts_over)


def _list_after(uow: UnitOfWork, asked: Question, since: Position, limit: int) -> list[SyncObject]:
    """At least the first `limit` of what `since` does not cover, or all there is."""
    found = _list_numbered(uow, asked, sorted(since.pending)) if since.pending else []
    for each in asked.types:
        found += uow.changes.list_after(asked.org, each, since.newest, limit, with_received=asked.with_received)
    return sorted(found, key=lambda item: item.change)


def _list_numbered(uow: UnitOfWork, asked: Question, changes: Sequence[int]) -> list[SyncObject]:
    return [item for each in asked.types for item in uow.changes.list_numbered(asked.org, each, changes)]
