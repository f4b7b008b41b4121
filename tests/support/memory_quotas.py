"""Quotas and usage in memory."""

from __future__ import annotations

from common.domain.quotas import NOTHING, QuotaOverride, Usage, usage_of
from common.sync.quota_ports import Drift
from tests.support.memory_tables import MemoryTables


class MemoryQuotaStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._quotas = tables.quotas

    def find(self, org: str) -> QuotaOverride | None:
        return self._quotas.find(org)

    def save(self, org: str, override: QuotaOverride) -> None:
        self._quotas.put(org, override)

    def remove(self, org: str) -> None:
        self._quotas.remove(org)

    def list_orgs(self) -> list[str]:
        return sorted(self._quotas.row_keys())


class MemoryUsageStore:
    """Counts whenever it is asked."""

    def __init__(self, tables: MemoryTables) -> None:
        self._objects = tables.objects

    def of_org(self, org: str) -> Usage:
        return sum((usage_of(item) for item in self._objects if item.key.org == org), NOTHING)

    def hold(self, org: str) -> None:
        """Nothing to do: one use case runs at a time."""

    def next_org(self, after: str) -> str | None:
        return min((item.key.org for item in self._objects if item.key.org > after), default=None)

    def drift(self, org: str) -> Drift:
        return Drift(NOTHING, 0)

    def correct(self, org: str, drift: Drift) -> bool:
        return False
