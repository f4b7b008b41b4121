"""What the use cases ask of stored quotas and usage. The promises are held by `tests/contract/test_stores_quotas.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from common.domain.quotas import QuotaOverride, Usage


@dataclass(frozen=True, slots=True)
class Drift:
    """By how much the kept usage of an organization is wrong, as of one snapshot."""

    usage: Usage
    #: How often it had been corrected by then.
    corrections: int


class QuotaStore(Protocol):
    """Quotas of organizations that have one of their own. They outlive the organization: it may be registered again."""

    def find(self, org: str) -> QuotaOverride | None: ...

    def save(self, org: str, override: QuotaOverride) -> None:
        """Insert or replace."""
        ...

    def remove(self, org: str) -> None:
        """Unknown ones are fine."""
        ...

    def list_orgs(self) -> list[str]:
        """Those with a quota of their own, in byte order."""
        ...


class UsageStore(Protocol):
    """What each organization keeps, kept up to date by every transaction that changes its objects."""

    def of_org(self, org: str) -> Usage:
        """As of the transaction's view; what the transaction itself has changed may be missing."""
        ...

    def hold(self, org: str) -> None:
        """Everybody else who holds the usage of this organization waits until the transaction ends. Called before objects
        of the organization are locked.
        """
        ...

    def next_org(self, after: str) -> str | None:
        """The organization with objects, or with usage, that follows in byte order."""
        ...

    def drift(self, org: str) -> Drift:
        """Count everything: slow. In a snapshot the drift is 0 unless something went wrong."""
        ...

    def correct(self, org: str, drift: Drift) -> bool:
        """Add the drift; whether it was still wanted: not when another correction came first."""
        ...
