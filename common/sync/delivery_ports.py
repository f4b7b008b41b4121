"""What the use cases ask of the outbox. Naming and locks as in `ports`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from common.domain.addressing import Audience
from common.domain.delivery import Delivery
from common.domain.ids import NodeKey, ObjectKey
from common.domain.objects import SyncObject
from common.sync.records import FanOut, Opening


class DeliveryStore(Protocol):
    """The outbox: what every destination still has to be sent, and what became of it."""

    def open_many(self, openings: Sequence[Opening]) -> None:
        """Fan out: one delivery per registered node of each opening's audience, replacing what stands for that object and node.

        Set-based: its cost does not depend on anything but the number of nodes matched. Nodes of an explicit list are
        taken as they are; the caller has checked that they are registered. PLACED means those that are destinations by now.
        The positions of existing rows are kept, new ones come behind them.
        """
        ...

    def open_page(self, fan_out: FanOut, now_ms: int, limit: int) -> NodeKey | None:
        """Like `open_many` for the next `limit` nodes in key order after `fan_out.after`; the last one opened, or None when
        there was none left. Deliveries that exist already for this instance stay as they are.
        """
        ...

    def open_for_node(self, node: NodeKey, now_ms: int) -> None:
        """A node registered: open a delivery of every own object addressed to it (in one of `SENDING`) that has none for it
        yet (policy objects excepted). Existing deliveries stay as they are.
        """
        ...

    def find_many(self, ids: Sequence[tuple[ObjectKey, NodeKey]]) -> dict[tuple[ObjectKey, NodeKey], Delivery]:
        """Those that exist, locked in key order."""
        ...

    def save_many(self, deliveries: Sequence[Delivery]) -> None:
        """Insert or replace; positions of existing rows are kept."""
        ...

    def claim_due(self, node: NodeKey, now_ms: int, limit: int) -> list[tuple[Delivery, SyncObject]]:
        """Due deliveries of one node with their objects, oldest due first, locked; the caller steps and saves them.

        Rows another transaction holds are skipped. A delivery whose object is gone is left out. A due time further ahead
        than the longest retry delay counts as due: the clock was wrong when it was set.
        """
        ...

    def has_due(self, node: NodeKey, now_ms: int) -> bool:
        """Whether `claim_due` would find something. One index look-up, whatever the backlog of this or other nodes."""
        ...

    def next_due_at(self, node: NodeKey) -> int | None:
        """The earliest due time of the node's open deliveries."""
        ...

    def list_of_object(self, key: ObjectKey) -> list[Delivery]:
        """In the order the destinations were added."""
        ...

    def list_of_node(self, node: NodeKey) -> list[Delivery]: ...

    def page_of_node(self, node: NodeKey, *, after: tuple[str, str], limit: int) -> list[Delivery]:
        """Deliveries in `REPORTED_STATES`, by type and id of the object (byte order) beyond `after`."""
        ...

    def withdraw_unaddressed(self, key: ObjectKey, audience: Audience, now_ms: int) -> None:
        """Destinations `audience` no longer includes: DELETING and due now if they `was_sent` any instance and have not
        acknowledged its deletion, removed otherwise. Attempts start again.
        """
        ...

    def withdraw_nodes(self, key: ObjectKey, nodes: Sequence[NodeKey], now_ms: int) -> None:
        """The same for these destinations."""
        ...

    def release(self, key: ObjectKey, now_ms: int) -> None:
        """The object may be sent now: every WAITING delivery of it becomes PENDING and due."""
        ...

    def has_more_than(self, key: ObjectKey, count: int) -> bool:
        """Has the object more than `count` deliveries?"""
        ...

    def withdraw_all(self, key: ObjectKey, now_ms: int) -> int:
        """Every delivery of the object becomes DELETING and due now (those already DELETED or DELETING stay); how many there are."""
        ...

    def remove_settled(self, key: ObjectKey) -> int:
        """Every delivery of the object goes, but those in DELETING; how many are left."""
        ...

    def has_undeleted(self, key: ObjectKey) -> bool:
        """Is any delivery of the object not DELETED?"""
        ...

    def remove(self, key: ObjectKey, node: NodeKey) -> None: ...

    def remove_of_object(self, key: ObjectKey) -> None: ...

    def remove_of_node(self, node: NodeKey) -> None: ...

    def resend_to_node(self, node: NodeKey, now_ms: int) -> None:
        """The node wants everything again: whatever became of them, deliveries of objects that may be sent are PENDING and due,
        those in DELETING excepted (`delivery.PeerReconnected` is for them).
        """
        ...

    def requeue_of_node(self, node: NodeKey, now_ms: int, *, lost_everything: bool) -> None:
        """The node registered again: open deliveries are due now with attempts 0; with `lost_everything`, ANNOUNCED,
        DELIVERED and FAILED ones become PENDING and due too (`delivery.PeerReconnected`, `delivery.PeerLostIt`).
        """
        ...


class FanOutStore(Protocol):
    """Fan-outs too big for the publishing transaction, continued in the background."""

    def add(self, fan_out: FanOut) -> None:
        """Replaces one that stands for the same object."""
        ...

    def next(self) -> FanOut | None:
        """The oldest one, locked; rows another transaction holds are skipped."""
        ...

    def find(self, key: ObjectKey) -> FanOut | None: ...

    def hold_of_org(self, org: str) -> None:
        """Pages of this organization's fan-outs that other transactions are opening are waited for, and none begins until
        this one ends.
        """
        ...

    def advance(self, key: ObjectKey, after: NodeKey) -> None: ...

    def remove(self, key: ObjectKey) -> None: ...
