"""Keeps what the process knows about quotas fresh, and looks whether what is counted is true."""

from __future__ import annotations

import logging

from common.runtime.logs import fields
from common.sync.ports import Clock, Database
from common.sync.quotas import Quotas

log = logging.getLogger(__name__)

#: Other replicas hear of a new quota by a wake-up, or when it is lost, after this time.
_REFRESH_SECONDS = 15.0

#: Counting an organization with a million objects takes a second or so, in a snapshot that nobody waits for.
_SWEEP_SECONDS = 6 * 3600.0
_FIRST_SWEEP_SECONDS = 60.0


class QuotaWorker:
    """Turns of one worker."""

    def __init__(self, database: Database, quotas: Quotas, clock: Clock) -> None:
        self._database = database
        self._quotas = quotas
        self._clock = clock
        self._next_sweep_at = clock.monotonic() + _FIRST_SWEEP_SECONDS

    def turn(self) -> float:
        self.refresh()
        if self._clock.monotonic() >= self._next_sweep_at:
            self.sweep()
            self._next_sweep_at = self._clock.monotonic() + _SWEEP_SECONDS
        return _REFRESH_SECONDS

    def refresh(self) -> None:
        """Which organizations have a quota of their own?"""
        self._quotas.know(self._database.read(lambda uow: uow.quotas.list_orgs()))

    def sweep(self) -> int:
        """Count what each organization has, and correct what is kept about it; how many were wrong."""
        wrong = 0
        org = self._next_org("")
        while org is not None:
            wrong += self._check(org)
            org = self._next_org(org)
        return wrong

    def _next_org(self, after: str) -> str | None:
        return self._database.read(lambda uow: uow.usage.next_org(after))

    def _check(self, org: str) -> bool:
        drift = self._database.read(lambda uow: uow.usage.drift(org))
        if not drift.usage or not self._database.write(lambda uow: uow.usage.correct(org, drift)):
            return False
        log.warning(
            "usage_corrected",
            extra=fields(org=org, objects=drift.usage.objects, payload_bytes=drift.usage.payload_bytes),
        )
        return True
