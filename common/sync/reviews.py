"""What changed about nodes, groups or policies, worked out: a page at once, the rest in the background.

Every page looks at what is so now, not at what changed: it may be repeated, and a later change only starts it again. Pages
run under the organization's lock, so that a publish sees either the state before or the one after.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from common.domain.ids import NodeKey
from common.domain.objects import SyncObject
from common.sync import wakeups
from common.sync.groups import Review, ReviewKind
from common.sync.membership import regroup, review_members
from common.sync.policy_placement import is_builtin, review_node, review_object, review_organization
from common.sync.ports import UnitOfWork

Page: TypeAlias = Callable[[UnitOfWork, Review, int, int], tuple[str, str] | None]

#: Nodes or objects looked at in one transaction.
PAGE = 100

_PAGES: Mapping[ReviewKind, Page] = {
    ReviewKind.GROUP: review_members,
    ReviewKind.OBJECT: review_object,
    ReviewKind.NODE: review_node,
    ReviewKind.ORGANIZATION: review_organization,
}


class Reviews:
    """Starts reviews and carries them on."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms

    def start(self, uow: UnitOfWork, review: Review) -> None:
        """Look at the first page now. The caller holds the organization's lock, and the object's for a review of an object."""
        self._continue(uow, review)

    def policy_published(self, uow: UnitOfWork, item: SyncObject) -> None:
        """An object was published: if this service places it, it does so now. The caller holds its lock."""
        if item.meta.destination_policy is not None and is_builtin(uow, item.key.org):
            self.start(uow, Review(ReviewKind.OBJECT, *item.key))

    def node_changed(self, uow: UnitOfWork, node: NodeKey) -> None:
        """A node registered, or its labels changed. The caller holds the organization's lock."""
        regroup(uow, node, self._now_ms())
        self.start(uow, Review(ReviewKind.NODE, *node))

    def resume(self, uow: UnitOfWork) -> bool:
        """Look at the next page of the oldest review; False when there is none."""
        first = uow.reviews.first()
        if first is None:
            return False
        # In this order, as everywhere: the lock first, then what is changed under it.
        uow.nodes.lock_org(first.org)
        review = uow.reviews.find(first)
        if review is not None:
            self._continue(uow, review)
        return True

    def _continue(self, uow: UnitOfWork, review: Review) -> None:
        after = _PAGES[review.kind](uow, review, PAGE, self._now_ms())
        if after is None:
            uow.reviews.remove(review)
        else:
            uow.reviews.save(replace(review, after=after))
            uow.wake(wakeups.REVIEW)
