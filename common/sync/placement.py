"""Destinations changed by hand: how an outside policy engine places objects (rest-api 3.14)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from common.domain.addressing import Audience, AudienceKind
from common.domain.errors import InvalidRequest, NotFound
from common.domain.ids import NodeKey, ObjectKey
from common.domain.objects import REVISABLE, SyncObject
from common.sync import wakeups
from common.sync.fan_out import FanOuts
from common.sync.ports import UnitOfWork
from common.sync.records import Opening


class Placement:
    """Use cases, each (part of) one transaction. Works for own objects however they are addressed.

    What is so already stays as it is: a kept destination keeps its status. Each raises NotFound for an unknown object,
    InvalidRequest for a received one or when one of `nodes` is not registered; nothing is changed then.
    """

    def __init__(self, fan_outs: FanOuts, now_ms: Callable[[], int]) -> None:
        self._fan_outs = fan_outs
        self._now_ms = now_ms

    def replace(self, uow: UnitOfWork, key: ObjectKey, nodes: Sequence[NodeKey]) -> None:
        """Exactly `nodes` are the destinations from now on."""
        item, present = self._opened(uow, key, nodes)
        wanted = set(nodes)
        self._change(uow, item, [n for n in nodes if n not in present], [n for n in present if n not in wanted])

    def add(self, uow: UnitOfWork, key: ObjectKey, nodes: Sequence[NodeKey]) -> None:
        item, present = self._opened(uow, key, nodes)
        self._change(uow, item, [n for n in nodes if n not in present], [])

    def remove(self, uow: UnitOfWork, key: ObjectKey, nodes: Sequence[NodeKey]) -> None:
        """Those of `nodes` that are no destinations are fine."""
        item, present = self._opened(uow, key, nodes)
        self._change(uow, item, [], [n for n in nodes if n in present])

    def _opened(
        self, uow: UnitOfWork, key: ObjectKey, nodes: Sequence[NodeKey]
    ) -> tuple[SyncObject, dict[NodeKey, None]]:
        """The object, and the destinations it has, in their order."""
        uow.nodes.lock_org_shared({key.org})
        item = uow.objects.find(key, lock=True)
        if item is None:
            raise NotFound
        if not item.is_own or item.status not in REVISABLE:
            raise InvalidRequest("Only an object of this node that is not being deleted has destinations to change.")
        for unknown in set(nodes) - uow.nodes.existing(sorted(set(nodes))):
            raise InvalidRequest(f"The destination {unknown.type}:{unknown.id} is not registered.")
        self._fan_outs.finish(uow, key)
        return item, dict.fromkeys(delivery.node for delivery in self._fan_outs.destinations(uow, key))

    def _change(self, uow: UnitOfWork, item: SyncObject, added: Sequence[NodeKey], removed: Sequence[NodeKey]) -> None:
        if not added and not removed:
            return
        now_ms = self._now_ms()
        uow.deliveries.withdraw_nodes(item.key, removed, now_ms)
        audience = Audience(item.key.org, AudienceKind.LIST, nodes=tuple(dict.fromkeys(added)))
        uow.deliveries.open_many([Opening(item.key, item.instance, audience, item.is_deliverable, now_ms)])
        uow.objects.save_many([replace(item, is_placed=True)])
        uow.wake(*map(wakeups.node_topic, [*added, *removed]))
