"""Tables in memory with transactions: every change is journaled until it is kept or undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from common.domain.access_lists import AccessEntry, UserType
from common.domain.delivery import Delivery
from common.domain.ids import NodeKey, ObjectKey
from common.domain.labels import LabelSource
from common.domain.nodes import Node
from common.domain.objects import SyncObject
from common.domain.organizations import Organization
from common.domain.quotas import QuotaOverride
from common.domain.reception import Reception
from common.sync.access_lists import AccessList
from common.sync.audit import AuditEntry
from common.sync.enrolment import Authority, EnrolmentToken, NodeCertificate
from common.sync.groups import Group, PlacementEngine, Review
from common.sync.records import Account, FanOut, Upload
from tests.support.memory_webhook_rows import Line, Queued, Registration

K = TypeVar("K")
V = TypeVar("V")


class Journal:
    """How to undo what the current transaction has changed so far."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def record(self, undo: Callable[[], object]) -> None:
        self._undo.append(undo)

    def keep(self) -> None:
        """The changes stay."""
        self._undo.clear()

    def undo(self) -> None:
        """Everything is again as it was at the last `keep`."""
        while self._undo:
            self._undo.pop()()


class Table(Generic[K, V]):
    """Rows by key, in the order in which they were added; replacing a row keeps its place."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._rows: dict[K, tuple[int, V]] = {}
        self._next_position = 0

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[V]:
        """In the order in which the rows were added; changes meanwhile do not matter."""
        return (value for _, value in sorted(self._rows.values(), key=lambda row: row[0]))

    def row_keys(self) -> list[K]:
        return list(self._rows)

    def find(self, key: K) -> V | None:
        row = self._rows.get(key)
        return row[1] if row else None

    def put(self, key: K, value: V) -> None:
        """Insert or replace."""
        before = self._rows.get(key)
        if before is None:
            self._journal.record(lambda: self._rows.pop(key))
            position = self._next_position
            self._next_position += 1
        else:
            self._journal.record(lambda: self._rows.update({key: before}))
            position = before[0]
        self._rows[key] = (position, value)

    def remove(self, key: K) -> bool:
        """Whether there was such a row."""
        before = self._rows.pop(key, None)
        if before is None:
            return False
        self._journal.record(lambda: self._rows.update({key: before}))
        return True


class MemoryTables:
    """Everything a node stores."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.objects: Table[ObjectKey, SyncObject] = Table(self.journal)
        self.deliveries: Table[tuple[ObjectKey, NodeKey], Delivery] = Table(self.journal)
        self.fan_outs: Table[ObjectKey, FanOut] = Table(self.journal)
        self.nodes: Table[NodeKey, Node] = Table(self.journal)
        self.receptions: Table[ObjectKey, Reception] = Table(self.journal)
        self.small_payloads: Table[str, bytes] = Table(self.journal)
        #: Payload name to the time of its discarding in ms.
        self.discarded: Table[str, tuple[str, int]] = Table(self.journal)
        self.uploads: Table[ObjectKey, Upload] = Table(self.journal)
        self.accounts: Table[str, Account] = Table(self.journal)
        #: Position to entry.
        self.audit: Table[int, AuditEntry] = Table(self.journal)
        self.access_entries: Table[tuple[AccessList, UserType, str], tuple[AccessList, AccessEntry]] = Table(
            self.journal
        )
        self.organizations: Table[str, Organization] = Table(self.journal)
        self.quotas: Table[str, QuotaOverride] = Table(self.journal)
        self.authorities: Table[str, Authority] = Table(self.journal)
        #: Organization and token, organization and fingerprint.
        self.enrolment_tokens: Table[tuple[str, str], EnrolmentToken] = Table(self.journal)
        self.node_certificates: Table[tuple[str, str], NodeCertificate] = Table(self.journal)
        self.webhooks: Table[int, Registration] = Table(self.journal)
        self.webhook_lines: Table[tuple[int, ObjectKey], Line] = Table(self.journal)
        self.webhook_events: Table[int, Queued] = Table(self.journal)
        self.counters: Table[str, int] = Table(self.journal)
        #: Node and source to labels.
        self.labels: Table[tuple[NodeKey, LabelSource], dict[str, str]] = Table(self.journal)
        self.groups: Table[tuple[str, str], Group] = Table(self.journal)
        #: Organization and group to the group's name and the nodes it lists.
        self.group_lists: Table[tuple[str, str], tuple[str, frozenset[NodeKey]]] = Table(self.journal)
        self.group_members: Table[tuple[NodeKey, str], tuple[str, NodeKey]] = Table(self.journal)
        self.reviews: Table[tuple[str, str, str, str], Review] = Table(self.journal)
        self.placements: Table[tuple[str], PlacementEngine] = Table(self.journal)
