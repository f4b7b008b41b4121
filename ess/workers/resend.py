"""Tells the cloud that everything is wanted again, until it knows."""

from __future__ import annotations

import logging

from common.sync.counters import RESEND_WANTED
from common.sync.ports import Database, UnitOfWork
from ess.services.cloud import Cloud
from ess.workers.link import Link

log = logging.getLogger(__name__)

#: Somebody wants everything again.
WANTED = "resend-wanted"


def want(uow: UnitOfWork) -> None:
    """Note the wish; it survives a restart.

    What is consumed, and known to be by the cloud, is forgotten here: the same instance would pass for a repeat otherwise.
    """
    uow.counters.set(RESEND_WANTED, 1)
    uow.receptions.prune_finished(keep=0)
    uow.wake(WANTED)


class ResendWorker:
    """Turns of one worker."""

    def __init__(self, client: Cloud, database: Database, link: Link) -> None:
        self._client = client
        self._database = database
        self._link = link

    def turn(self) -> float | None:
        """Raises Unavailable; the wish stays then."""
        if not self._link.is_up or not self._database.read(lambda uow: uow.counters.get(RESEND_WANTED)):
            return None
        self._client.resend()
        self._database.write(lambda uow: uow.counters.set(RESEND_WANTED, 0))
        log.info("resend_requested")
        return None
