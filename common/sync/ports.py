"""What the use cases ask of the world: storage by transaction, wake-ups, time.

Each method says what it promises; `tests/contract` holds every implementation to it. Naming: `get` raises NotFound,
`find` may return None, `list_*` returns one page in key order, `claim_*` takes a lease. Lists are bounded by `limit`.
`find_many` and `find(…, lock=True)` keep other writers off the rows found until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

from common.domain.addressing import Audience
from common.domain.delivery import Delivery
from common.domain.ids import NodeKey, ObjectKey
from common.domain.nodes import Node
from common.domain.objects import Payload, SyncObject
from common.domain.reception import Reception
from common.sync.access_lists import AccessListStore
from common.sync.changes import ChangeStore
from common.sync.counters import CounterStore
from common.sync.groups import GroupDeliveryStore, GroupStore, LabelStore, PlacementStore, ReviewStore
from common.sync.object_lists import ObjectListStore
from common.sync.organizations import OrganizationStore
from common.sync.records import Account, FanOut, Opening, Upload
from common.sync.webhook_ports import WebhookQueue, WebhookStore

T = TypeVar("T")


class ObjectStore(Protocol):
    """The objects of this node, one row per key: the version an application sees."""

    def find(self, key: ObjectKey, *, lock: bool = False) -> SyncObject | None: ...

    def get(self, key: ObjectKey) -> SyncObject:
        """Raises NotFound."""
        ...

    def find_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SyncObject]:
        """Those of `keys` that exist, locked; locks are taken in key order, so that two callers never wait for each other."""
        ...

    def save_many(self, objects: Sequence[SyncObject]) -> None:
        """Insert or replace. The keys are distinct."""
        ...

    def remove(self, key: ObjectKey) -> None: ...

    def list_consumed_by_destination(self, keep: int, limit: int) -> list[ObjectKey]:
        """Own objects in `consumedByDest` beyond the `keep` newest, newest first."""
        ...

    def list_expired(self, now_ms: int, limit: int) -> list[ObjectKey]:
        """Own objects in one of `SENDING` whose expiration has come, earliest first."""
        ...

    def list_to_activate(self, now_ms: int, limit: int) -> list[ObjectKey]:
        """Own inactive objects whose activation time has come, earliest first."""
        ...

    def next_expiration_at(self) -> int | None:
        """When the first of what `list_expired` will list expires, in ms since 1970."""
        ...

    def next_activation_at(self) -> int | None: ...

    def count_own(self) -> int:
        """Objects created here and not deleted, of all organizations (rest-api 3.21)."""
        ...


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

    def advance(self, key: ObjectKey, after: NodeKey) -> None: ...

    def remove(self, key: ObjectKey) -> None: ...


class NodeStore(Protocol):
    """The registered nodes."""

    def find(self, key: NodeKey) -> Node | None: ...

    def save(self, node: Node) -> None:
        """Insert or replace."""
        ...

    def touch(self, key: NodeKey, now_ms: int) -> None:
        """The node gave a sign of life."""
        ...

    def remove(self, key: NodeKey) -> None: ...

    def list_of_org(self, org: str) -> list[Node]: ...

    def page_of_org(self, org: str, *, after: tuple[str, str], limit: int) -> list[Node]:
        """By type and id (byte order) beyond `after`."""
        ...

    def keys_of_org(self, org: str, *, after: tuple[str, str], limit: int) -> list[NodeKey]:
        """One page of an organization's nodes, by type and id (byte order) beyond `after`."""
        ...

    def existing(self, keys: Sequence[NodeKey]) -> set[NodeKey]:
        """Which of `keys` are registered."""
        ...

    def count(self, org: str | None = None, node_type: str | None = None) -> int: ...

    def lock_org_shared(self, orgs: Iterable[str]) -> None:
        """Publishing: registrations in these organizations wait until this transaction ends, and the reverse. Without it a node
        and an object that appear at the same instant could miss each other (R2).
        """
        ...

    def lock_org(self, org: str) -> None:
        """Registering: see `lock_org_shared`."""
        ...


class ReceptionStore(Protocol):
    """What arrives from other nodes: transfers, the inbox ledger, answers owed."""

    def find(self, key: ObjectKey, *, lock: bool = False) -> Reception | None: ...

    def save(self, reception: Reception) -> None: ...

    def remove(self, key: ObjectKey) -> None: ...

    def list_fetching(self, limit: int) -> list[Reception]:
        """Receptions in FETCHING, oldest first."""
        ...

    def claim_answers(self, origin: NodeKey | None, now_ms: int, limit: int) -> list[Reception]:
        """Due answers to one origin (None: to any), oldest due first, locked; the caller saves them with `answer_sent`.

        As with deliveries, a due time further ahead than the longest retry delay counts as due.
        """
        ...

    def requeue_answers(self, origin: NodeKey, now_ms: int) -> None:
        """The origin is back: every answer owed to it is due now, with attempts 0."""
        ...

    def has_answers(self, origin: NodeKey, now_ms: int) -> bool: ...

    def next_answer_at(self, origin: NodeKey | None) -> int | None: ...

    def prune_finished(self, keep: int) -> int:
        """Forget the oldest (smallest instances) of CONSUMED and FORGOTTEN receptions without an open answer, beyond `keep`;
        how many went.
        """
        ...


class PayloadIndex(Protocol):
    """Small payloads, which live in the database, and the names of payloads nobody refers to any more."""

    def save_small_many(self, payloads: Sequence[tuple[str, bytes]]) -> None: ...

    def read_small(self, name: str) -> bytes:
        """Raises NotFound."""
        ...

    def discard_many(self, payloads: Sequence[Payload | str], now_ms: int) -> None:
        """No row refers to these any more: small ones go now, the others are remembered for `list_discarded`."""
        ...

    def list_discarded(self, before_ms: int, limit: int) -> list[str]: ...

    def forget_discarded(self, names: Sequence[str]) -> None: ...

    def referenced(self, names: Sequence[str]) -> set[str]:
        """Which of these payload names an object, an upload or a reception still refers to."""
        ...


class UploadStore(Protocol):
    """Uploads of applications that come in pieces."""

    def find(self, key: ObjectKey, *, lock: bool = False) -> Upload | None: ...

    def save(self, upload: Upload) -> None: ...

    def list_stale(self, before_ms: int, limit: int) -> list[Upload]:
        """Uploads last updated before that time, oldest first."""
        ...

    def remove(self, key: ObjectKey) -> None: ...


class AccountStore(Protocol):
    """Who may call: application keys with hashed secrets."""

    def find(self, app_key: str) -> Account | None: ...

    def save(self, account: Account) -> None: ...

    def remove(self, app_key: str) -> bool:
        """Whether there was one."""
        ...

    def list_all(self) -> list[Account]: ...

    def is_empty(self) -> bool: ...


class UnitOfWork(Protocol):
    """The stores of one transaction."""

    @property
    def objects(self) -> ObjectStore: ...
    @property
    def object_lists(self) -> ObjectListStore: ...
    @property
    def deliveries(self) -> DeliveryStore: ...
    @property
    def fan_outs(self) -> FanOutStore: ...
    @property
    def nodes(self) -> NodeStore: ...
    @property
    def labels(self) -> LabelStore: ...
    @property
    def groups(self) -> GroupStore: ...
    @property
    def group_deliveries(self) -> GroupDeliveryStore: ...
    @property
    def reviews(self) -> ReviewStore: ...
    @property
    def placements(self) -> PlacementStore: ...
    @property
    def receptions(self) -> ReceptionStore: ...
    @property
    def payloads(self) -> PayloadIndex: ...
    @property
    def uploads(self) -> UploadStore: ...
    @property
    def accounts(self) -> AccountStore: ...
    @property
    def webhooks(self) -> WebhookStore: ...
    @property
    def webhook_queue(self) -> WebhookQueue: ...
    @property
    def access_lists(self) -> AccessListStore: ...
    @property
    def organizations(self) -> OrganizationStore: ...
    @property
    def counters(self) -> CounterStore: ...
    @property
    def changes(self) -> ChangeStore: ...

    def next_instances(self, count: int) -> range:
        """Fresh instance numbers: larger than any given out before by this database and than the start of time in ns, whatever
        the clocks do; gaps are possible.
        """
        ...

    def wake(self, *topics: str) -> None:
        """Hint, after the commit, to whoever waits for one of these topics (see `wakeups`). Nothing is sent on rollback."""
        ...


class Database(Protocol):
    """Runs use cases as transactions. Durable on return: a result leaves `write` only after its commit would survive power loss."""

    @property
    def parallel_commits(self) -> int:
        """How many transactions it commits side by side; 1 where all share one writer."""
        ...

    def submit(self, work: Callable[[UnitOfWork], T]) -> Future[T]:
        """Queue a use case; many may share one commit. It may run more than once when others are in its way, so it has no
        effects but those on its unit of work. If `work` raises, its changes are undone and the future holds the error,
        while others in the same commit are not affected. Raises Unavailable (in the future) when the database cannot be reached.
        """
        ...

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        """`submit` and wait. Not for the event loop."""
        ...

    def read(self, work: Callable[[UnitOfWork], T]) -> T:
        """Run `work` on one consistent snapshot that changes nothing. Not for the event loop."""
        ...

    def close(self) -> None:
        """Finish what was submitted, then release everything. Idempotent."""
        ...


class Clock(Protocol):
    """Time from outside."""

    def now_ms(self) -> int:
        """Wall-clock milliseconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never step back."""
        ...
