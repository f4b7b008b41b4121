"""The cloud's use cases about organizations: they are registered, and removed with everything they have."""

from __future__ import annotations

from collections.abc import Callable

from common.domain.organizations import Organization
from common.sync import wakeups
from common.sync.ports import UnitOfWork

#: Rows removed in one transaction: nobody who publishes waits longer than that takes.
REMOVAL_PAGE_ROWS = 500


class Organizations:
    """Each method is one transaction."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms

    def register(self, uow: UnitOfWork, organization: Organization) -> None:
        """Insert or replace."""
        uow.organizations.save(organization)

    def remove_page(self, uow: UnitOfWork, org: str) -> bool:
        """Remove a page of what the organization has, and itself with the last one; whether there is more.

        Publishing and registering in this organization wait for the page; when False is returned, nothing was left.
        Unknown organizations are fine. Payloads are collected later.
        """
        uow.nodes.lock_org(org)
        removal = uow.organizations.remove_belongings(org, REMOVAL_PAGE_ROWS)
        if removal.payloads:
            uow.payloads.discard_many(removal.payloads, self._now_ms())
        if removal.count == REMOVAL_PAGE_ROWS:
            return True
        uow.organizations.remove(org)
        # Nodes that wait for something to come learn that they are no longer registered.
        uow.wake(wakeups.org_topic(org))
        return False
