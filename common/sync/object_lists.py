"""What lists of objects ask of storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from common.domain.delivery import DeliveryState
from common.domain.ids import ObjectKey
from common.domain.objects import SyncObject
from common.domain.selection import ListPosition, Selection

#: Destinations looked up at once.
MOST_DESTINATIONS = 4_000


class Destination(NamedTuple):
    """One destination of an object: a delivery, as far as lists show it."""

    node_type: str
    node_id: str
    state: DeliveryState
    message: str


class ObjectListStore(Protocol):
    """Objects in the order of lists: by type, then id, in byte order. One page at a time, whatever the page."""

    def page(self, selection: Selection, after: ListPosition, limit: int) -> list[SyncObject]:
        """The first `limit` objects beyond `after` that the selection includes. Uses an index also when few of many match."""
        ...

    def types(self, org: str, after: str, limit: int, *, is_public: bool) -> list[str]:
        """The first `limit` types beyond `after` of which there is an object, or a public one. One look-up per type."""
        ...

    def destinations(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, list[Destination]] | None:
        """Of those objects that have any; each in the order in which they were added.

        None when they are more than MOST_DESTINATIONS together; of a single object they are all there.
        """
        ...

    def being_fanned_out(self, keys: Sequence[ObjectKey]) -> set[ObjectKey]:
        """Those some of whose deliveries are yet to be opened in the background."""
        ...
