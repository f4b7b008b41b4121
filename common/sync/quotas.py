"""Quotas in the transactions that would exceed them.

Whoever publishes in an organization with a quota holds its usage until the commit, so what is checked is exact, whatever
others do at the same time. Where there is no quota nothing is held, looked up or waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from common.domain.ids import ObjectKey
from common.domain.objects import SyncObject
from common.domain.quotas import NOTHING, Quota, QuotaOverride, Usage, usage_of
from common.sync.ports import UnitOfWork

_NO_OVERRIDE = QuotaOverride()


class Room:
    """What the organizations of one transaction may still add; those that are not named may add anything."""

    def __init__(self, limited: Mapping[str, tuple[Quota, Usage]]) -> None:
        self._limited = dict(limited)

    def take(self, key: ObjectKey, before: Usage, after: Usage) -> None:
        """An object changes from `before` to `after`. Raises QuotaExceeded, and then has taken nothing."""
        known = self._limited.get(key.org)
        if known is None:
            return
        quota, usage = known
        changed = usage + (after - before)
        quota.check(usage, changed)
        self._limited[key.org] = quota, changed

    def take_object(self, before: SyncObject | None, after: SyncObject) -> None:
        """As `take`."""
        if self._limited:
            self.take(after.key, usage_of(before), usage_of(after))


class Quotas:
    """The quotas of all organizations: a default, and what is stored for some."""

    def __init__(self, default: Quota | None = None) -> None:
        self._default = default or Quota()
        self._overridden: frozenset[str] = frozenset()

    @property
    def default(self) -> Quota:
        return self._default

    def know(self, orgs: Iterable[str]) -> None:
        """Which organizations have a quota of their own. The quota itself is read when it matters."""
        self._overridden = frozenset(orgs)

    def room(self, uow: UnitOfWork, orgs: Iterable[str]) -> Room:
        """Hold the usage of those of `orgs` that have a quota. Called before objects of theirs are locked."""
        limited = sorted({org for org in orgs if self._may_limit(org)})
        return Room({org: self._held(uow, org) for org in limited}) if limited else Room({})

    def check_room(self, uow: UnitOfWork, key: ObjectKey, before: SyncObject | None, payload_bytes: int) -> None:
        """Would there be room for a payload of this size? For those who are about to send it; the commit looks again.

        Raises QuotaExceeded.
        """
        if self._may_limit(key.org):
            after = Usage(1, payload_bytes)
            Room({key.org: (self.of_org(uow, key.org), uow.usage.of_org(key.org))}).take(key, usage_of(before), after)

    def of_org(self, uow: UnitOfWork, org: str) -> Quota:
        """What holds for this organization."""
        return (uow.quotas.find(org) or _NO_OVERRIDE).over(self._default)

    def _may_limit(self, org: str) -> bool:
        return org in self._overridden or not self._default.is_unlimited

    def _held(self, uow: UnitOfWork, org: str) -> tuple[Quota, Usage]:
        uow.usage.hold(org)
        quota = self.of_org(uow, org)
        return quota, NOTHING if quota.is_unlimited else uow.usage.of_org(org)
