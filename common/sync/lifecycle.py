"""What becomes of own objects besides being published: activated, expired, seen by a policy engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec

from common.domain.errors import InvalidRequest, NotFound
from common.domain.ids import ObjectKey
from common.domain.objects import SENDING, ObjectStatus, activated
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
        item = activated(current)
        if not current.meta.inactive:
            return
        uow.objects.save_many([item])
        if item.is_deliverable:
            self._fan_outs.activate(uow, item)

    def activate_due(self, uow: UnitOfWork, limit: int) -> int:
        """Activate objects whose `activationTime` has come; how many."""
        keys = uow.objects.list_to_activate(self._now_ms(), limit)
        for key in keys:
            self.activate(uow, key)
        return len(keys)

    def expire_due(self, uow: UnitOfWork, limit: int) -> int:
        """Remove objects whose `expiration` has passed; how many. Nodes are not told and keep theirs (rest-api 5.7)."""
        keys = uow.objects.list_expired(self._now_ms(), limit)
        for key in keys:
            self._expire(uow, key)
        return len(keys)

    def mark_policy_received(self, uow: UnitOfWork, key: ObjectKey) -> None:
        """A policy engine has seen the object's policy; it is not listed again until its metadata changes.

        Raises NotFound.
        """
        current = uow.objects.find(key, lock=True)
        if current is None:
            raise NotFound
        uow.objects.save_many([replace(current, is_policy_received=True)])

    def _expire(self, uow: UnitOfWork, key: ObjectKey) -> None:
        current = uow.objects.find(key, lock=True)
        if current is None or not current.is_own or current.status not in SENDING:
            return
        now_ms = self._now_ms()
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
