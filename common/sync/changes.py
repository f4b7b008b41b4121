"""What applications of this node are shown, in the order in which it came to be shown.

Every transaction that shows an object to applications gives it its own number (`SyncObject.change`). Transactions run
beside each other, so a number may become visible after a larger one. A reader therefore remembers a `Position`: the
largest number it can have seen, and which smaller ones were still pending.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from common.domain.objects import SyncObject

#: Smaller than every number.
_BEFORE_ALL = -(2**62)


@dataclass(frozen=True, slots=True)
class Position:
    """What a reader has seen: everything numbered up to `newest`, but for the `pending`."""

    #: Identity of the store; numbers of another one mean nothing here.
    epoch: int
    newest: int
    pending: frozenset[int] = frozenset()

    @property
    def settled(self) -> int:
        """Everything up to this number has been seen."""
        return min(self.pending) - 1 if self.pending else self.newest

    def covers(self, change: int) -> bool:
        return change <= self.newest and change not in self.pending

    def can_precede(self, later: Position) -> bool:
        """May a reader go on from here to `later`? Not if the store is another one, or an older state of itself."""
        return self.epoch == later.epoch and self.newest <= later.newest


def nothing_of(epoch: int) -> Position:
    """The position of a reader that has seen nothing yet."""
    return Position(epoch, _BEFORE_ALL)


class ChangeStore(Protocol):
    """The numbers and what bears them."""

    def next(self) -> int:
        """The number of this transaction. Whoever commits after a reader looked has a number its position does not cover."""
        ...

    def position(self) -> Position:
        """Of the snapshot this transaction reads."""
        ...

    def list_after(
        self, org: str, object_type: str, change: int, limit: int, *, with_received: bool
    ) -> list[SyncObject]:
        """Objects with larger numbers, by number; those that were marked received only when asked for."""
        ...

    def list_numbered(self, org: str, object_type: str, changes: Sequence[int]) -> list[SyncObject]:
        """Objects with exactly these numbers."""
        ...
