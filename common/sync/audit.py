"""Who changed what: the audit log. The promises of the store are held by `tests/contract/test_stores_audit.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from common.sync.ports import UnitOfWork

T = TypeVar("T")


class Outcome(StrEnum):
    """What became of it. What fails in any other way changes nothing and is not recorded."""

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One administrative change, or an attempt at one."""

    at_ms: int
    #: Whose affair it was; empty for what concerns the whole service.
    org: str
    #: Who did it: role, organization and name.
    principal: str
    #: From where; empty for a Unix socket and the command line.
    address: str
    #: What: `account.revoke`. For refused attempts the method.
    action: str
    #: To what: an application key, a list, a group. For refused attempts the path.
    target: str
    outcome: Outcome


class AuditPosition(NamedTuple):
    """Where an entry stands: later ones are larger."""

    at_ms: int
    number: int


class RecordedEntry(NamedTuple):
    position: AuditPosition
    entry: AuditEntry


class AuditStore(Protocol):
    """Entries are added, read and, when they are old, forgotten; never changed."""

    def add(self, entry: AuditEntry) -> None: ...

    def page_of_org(self, org: str, *, before: AuditPosition | None, limit: int) -> list[RecordedEntry]:
        """The latest entries first, those before that position."""
        ...

    def prune(self, before_ms: int, limit: int) -> int:
        """Forget up to `limit` of the entries recorded before that time, oldest first; how many."""
        ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something, and from where."""

    principal: str
    address: str

    def did(self, at_ms: int, org: str, action: str, target: str, outcome: Outcome = Outcome.DONE) -> AuditEntry:
        """The entry about it."""
        return AuditEntry(at_ms, org, self.principal, self.address, action, target, outcome)


def audited(work: Callable[[UnitOfWork], T], entry: AuditEntry) -> Callable[[UnitOfWork], T]:
    """`work` that leaves `entry` in the audit log, in the same transaction: neither is there without the other."""

    def change(uow: UnitOfWork) -> T:
        result = work(uow)
        uow.audit.add(entry)
        return result

    return change
