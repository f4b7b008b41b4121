"""What the use cases ask of the world: storage by transaction, wake-ups, time.

Each method says what it promises; `tests/contract` holds every implementation to it. Naming: `get` raises NotFound,
`find` may return None, `list_*` returns one page in key order, `claim_*` takes a lease. Lists are bounded by `limit`.
`find_many` and `find(…, lock=True)` keep other writers off the rows found until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from common.sync.access_lists import AccessListStore
from common.sync.account_ports import AccountStore
from common.sync.audit import AuditStore
from common.sync.changes import ChangeStore
from common.sync.counters import CounterStore
from common.sync.delivery_ports import DeliveryStore, FanOutStore
from common.sync.enrolment import EnrolmentStore
from common.sync.groups import GroupDeliveryStore, GroupStore, LabelStore, PlacementStore, ReviewStore
from common.sync.node_ports import NodeStore
from common.sync.object_lists import ObjectListStore
from common.sync.object_ports import ObjectStore, PayloadIndex, UploadStore
from common.sync.organizations import OrganizationStore
from common.sync.quota_ports import QuotaStore, UsageStore
from common.sync.reception_ports import ReceptionStore
from common.sync.webhook_ports import WebhookQueue, WebhookStore

T = TypeVar("T")


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
    def quotas(self) -> QuotaStore: ...
    @property
    def usage(self) -> UsageStore: ...
    @property
    def enrolment(self) -> EnrolmentStore: ...
    @property
    def audit(self) -> AuditStore: ...
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
