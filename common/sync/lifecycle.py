"""What becomes of own objects besides being published: activated, expired, seen by a policy engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from common.domain.errors import InvalidRequest, NotFound
from common.domain.ids import ObjectKey
from common.domain.instants import instant_ms_or_none
from common.domain.objects import SENDING, ObjectStatus, SyncObject, activated
from common.sync.fan_out import FanOuts
from common.sync.ports import UnitOfWork
from common.sync.showing import show


class Lifecycle:
    """Use cases, each (part of) one transaction."""

    def __init__(self, fan_outs: FanOuts, now_ms: Callable[[], int]) -> None:
        self._fan_outs = fan_outs
        self._now_ms = now_ms

    def activate(self, uow: UnitOfWork, key: ObjectKey) -> None:
        """Let an inactive object go, in its present instance; an active one stays as it is (rest-api 3.15).

        Raises InvalidRequest when there is no such object, or it is not ours to send.
        """
        uow.nodes.lock_org_shared({key.org})
        current = uow.objects.find(key, lock=True)
        if current is None:
            raise InvalidRequest("There is no such object to activate.")
        if activated(current) != current:
            self._activate(uow, current)

    def activate_due(self, uow: UnitOfWork, limit: int) -> int:
        """Activate objects whose `activationTime` has come; how many."""
        now_ms = self._now_ms()
        locked = self._locked(uow, uow.objects.list_to_activate(now_ms, limit))
        due = [item for item in locked if item.meta.inactive and _has_come(item.meta.activation_time, now_ms)]
        for item in due:
            self._activate(uow, item)
        return len(due)

    def expire_due(self, uow: UnitOfWork, limit: int) -> int:
        """Remove objects whose `expiration` has passed; how many. Nodes are not told and keep theirs (rest-api 5.7)."""
        now_ms = self._now_ms()
        locked = self._locked(uow, uow.objects.list_expired(now_ms, limit))
        due = [item for item in locked if _has_come(item.meta.expiration, now_ms)]
        for item in due:
            self._expire(uow, item)
        return len(due)

    def mark_policy_received(self, uow: UnitOfWork, key: ObjectKey) -> None:
        """A policy engine has seen the object's policy; it is not listed again until its metadata changes.

        Raises NotFound.
        """
        current = uow.objects.find(key, lock=True)
        if current is None:
            raise NotFound
        uow.objects.save_many([replace(current, is_policy_received=True)])

    @staticmethod
    def _locked(uow: UnitOfWork, keys: Sequence[ObjectKey]) -> list[SyncObject]:
        """Those that may still be sent, whatever became of them since they were listed; in the order in which all lock."""
        uow.nodes.lock_org_shared({key.org for key in keys})
        found = uow.objects.find_many(keys)
        return [item for item in found.values() if item.is_own and item.status in SENDING]

    def _activate(self, uow: UnitOfWork, current: SyncObject) -> None:
        item = activated(current)
        uow.objects.save_many([item])
        if item.is_deliverable:
            self._fan_outs.activate(uow, item)

    def _expire(self, uow: UnitOfWork, current: SyncObject) -> None:
        key, now_ms = current.key, self._now_ms()
        uow.fan_outs.remove(key)
        if current.payload is not None:
            uow.payloads.discard_many([current.payload], now_ms)
        upload = uow.uploads.find(key, lock=True)
        if upload is not None:
            uow.payloads.discard_many([upload.staged], now_ms)
            uow.uploads.remove(key)
        if uow.deliveries.remove_settled(key) == 0:
            uow.objects.remove(key)
            return
        # Nodes that are being told it is not for them any more still have to hear it.
        meta = msgspec.structs.replace(current.meta, deleted=True)
        show(uow, replace(current, meta=meta, status=ObjectStatus.DELETED, payload=None))


def _has_come(instant: str, now_ms: int) -> bool:
    """Asked again under the lock: another version may have come since it was listed, with another time or none."""
    at_ms = instant_ms_or_none(instant)
    return at_ms is not None and at_ms <= now_ms
