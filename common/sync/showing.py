"""Showing an object to the applications of this node: by the polling call, long polls and event streams alike."""

from __future__ import annotations

from dataclasses import replace

from common.domain.objects import SyncObject
from common.sync import wakeups
from common.sync.ports import UnitOfWork


def show(uow: UnitOfWork, item: SyncObject) -> None:
    """Store the object as the newest change, and wake whoever waits for one of its type."""
    uow.objects.save_many([replace(item, change=uow.changes.next())])
    uow.wake(wakeups.objects_topic(item.key.org, item.key.type))
