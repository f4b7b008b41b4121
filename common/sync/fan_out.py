"""From a new instance of an object to one delivery per destination: at once while they are few, page by page beyond."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from common.domain.addressing import Audience, AudienceKind
from common.domain.delivery import Delivery, DeliveryState, opening
from common.domain.ids import NodeKey, ObjectKey
from common.domain.objects import ObjectStatus, SyncObject
from common.domain.publishing import LocalNode
from common.sync import wakeups
from common.sync.ports import UnitOfWork
from common.sync.records import FanOut, Opening

#: Up to so many nodes get their delivery inside the publishing transaction; beyond, a background turn continues.
INLINE_FAN_OUT_NODES = 100

_NO_MORE = frozenset({DeliveryState.DELETING, DeliveryState.DELETED})


def is_shown(item: SyncObject, state: DeliveryState) -> bool:
    """Is a node in this state a destination? Not if it is only being told that an object that lives on is not for it."""
    return item.status is ObjectStatus.DELETED or state not in _NO_MORE


class FanOuts:
    """Opens deliveries, whoever the audience."""

    def __init__(self, local: LocalNode, now_ms: Callable[[], int]) -> None:
        self._local = local
        self._now_ms = now_ms
        self._node_counts = _NodeCounts(now_ms)

    def readdress(self, uow: UnitOfWork, before: SyncObject | None, item: SyncObject) -> Audience:
        """Metadata was PUT: whoever it no longer names is told. The audience to open."""
        audience = self._local.audience(item.meta)
        if before is None:
            return audience
        uow.fan_outs.remove(item.key)
        if audience.kind is not AudienceKind.PLACED and (
            before.is_placed or self._local.audience(before.meta) != audience
        ):
            uow.deliveries.withdraw_unaddressed(item.key, audience, self._now_ms())
            uow.wake(wakeups.org_topic(item.key.org))
        return audience

    def renewed(self, uow: UnitOfWork, item: SyncObject) -> Audience:
        """Only data was PUT: whoever is a destination by now stays one, also if it was made one by hand."""
        unfinished = uow.fan_outs.find(item.key)
        if unfinished is None:
            return Audience(item.key.org, AudienceKind.PLACED)
        uow.fan_outs.remove(item.key)
        return unfinished.audience

    def open_many(self, uow: UnitOfWork, items: Sequence[tuple[SyncObject, Audience]]) -> None:
        """One delivery per destination, replacing those of earlier instances."""
        now_ms = self._now_ms()
        inline: list[Opening] = []
        for item, audience in items:
            if self._is_large(uow, item.key, audience):
                uow.fan_outs.add(FanOut(item.key, item.instance, audience, item.is_deliverable))
                uow.wake(wakeups.FAN_OUT)
                continue
            inline.append(Opening(item.key, item.instance, audience, item.is_deliverable, now_ms))
            if item.is_deliverable:
                uow.wake(*self._topics(uow, item.key, audience))
        uow.deliveries.open_many(inline)

    def activate(self, uow: UnitOfWork, item: SyncObject) -> None:
        """The object may be sent from now on: whoever waits for it gets it."""
        unfinished = uow.fan_outs.find(item.key)
        if unfinished is not None:
            uow.fan_outs.add(FanOut(item.key, item.instance, unfinished.audience, is_deliverable=True))
            uow.wake(wakeups.FAN_OUT)
        uow.deliveries.release(item.key, self._now_ms())
        uow.wake(wakeups.org_topic(item.key.org))

    def resume(self, uow: UnitOfWork, limit: int) -> bool:
        """Open the next `limit` deliveries of the oldest unfinished fan-out; False when there is none."""
        fan_out = uow.fan_outs.next()
        if fan_out is None:
            return False
        if not self._open_page(uow, fan_out, limit):
            uow.fan_outs.remove(fan_out.object)
        return True

    def finish(self, uow: UnitOfWork, key: ObjectKey) -> None:
        """Open every delivery of the object that is still missing."""
        while (fan_out := uow.fan_outs.find(key)) is not None:
            if not self._open_page(uow, fan_out, INLINE_FAN_OUT_NODES):
                uow.fan_outs.remove(key)

    def destinations(self, uow: UnitOfWork, key: ObjectKey) -> list[Delivery]:
        """Every destination of the object, also those a fan-out in the background has not reached yet. Raises NotFound."""
        item = uow.objects.get(key)
        deliveries = [d for d in uow.deliveries.list_of_object(key) if is_shown(item, d.state)]
        fan_out = uow.fan_outs.find(key)
        if fan_out is None:
            return deliveries
        opened = {
            node: opening(key, node, fan_out.instance, fan_out.is_deliverable, self._now_ms())
            for node in self._members(uow, fan_out, deliveries)
        }
        current = {d.node for d in deliveries if d.instance == fan_out.instance}
        kept = [d if d.node in current else opened.get(d.node, d) for d in deliveries]
        known = {d.node for d in deliveries}
        return [*kept, *(delivery for node, delivery in opened.items() if node not in known)]

    def _members(self, uow: UnitOfWork, fan_out: FanOut, deliveries: Sequence[Delivery]) -> list[NodeKey]:
        if fan_out.audience.kind is AudienceKind.PLACED:
            return [d.node for d in deliveries]
        if fan_out.audience.kind is AudienceKind.GROUP:
            return uow.groups.members(fan_out.object.org, fan_out.audience.id, after=None, limit=None)
        return [n.key for n in uow.nodes.list_of_org(fan_out.object.org) if fan_out.audience.includes(n.key)]

    def _open_page(self, uow: UnitOfWork, fan_out: FanOut, limit: int) -> bool:
        last = uow.deliveries.open_page(fan_out, self._now_ms(), limit)
        if last is None:
            return False
        uow.fan_outs.advance(fan_out.object, last)
        uow.wake(*(wakeups.audience_topics(fan_out.audience) or (wakeups.org_topic(fan_out.object.org),)))
        return True

    def _is_large(self, uow: UnitOfWork, key: ObjectKey, audience: Audience) -> bool:
        if audience.kind is AudienceKind.PLACED:
            return self._local.is_cloud and uow.deliveries.has_more_than(key, INLINE_FAN_OUT_NODES)
        return self._node_counts.is_large(uow, audience)

    @staticmethod
    def _topics(uow: UnitOfWork, key: ObjectKey, audience: Audience) -> tuple[str, ...]:
        if audience.kind is AudienceKind.PLACED:
            return tuple(wakeups.node_topic(d.node) for d in uow.deliveries.list_of_object(key))
        if audience.kind is AudienceKind.GROUP:
            members = uow.groups.members(key.org, audience.id, after=None, limit=INLINE_FAN_OUT_NODES + 1)
            if len(members) <= INLINE_FAN_OUT_NODES:
                return tuple(map(wakeups.node_topic, members))
        return wakeups.audience_topics(audience)


class _NodeCounts:
    """How many nodes an audience has, roughly. Being wrong only moves work between the publish and the background turn."""

    _REFRESH_MS = 5_000

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._counts: dict[tuple[str, str, str], tuple[int, int]] = {}

    def is_large(self, uow: UnitOfWork, audience: Audience) -> bool:
        if audience.kind not in (AudienceKind.EVERYONE, AudienceKind.TYPE, AudienceKind.GROUP):
            return False
        key = (audience.org, audience.type, audience.id)
        now_ms = self._now_ms()
        count, counted_at_ms = self._counts.get(key, (0, 0))
        if not 0 <= now_ms - counted_at_ms < self._REFRESH_MS:
            if len(self._counts) > 10_000:
                self._counts.clear()
            count = self._counted(uow, audience)
            self._counts[key] = (count, now_ms)
        return count > INLINE_FAN_OUT_NODES

    @staticmethod
    def _counted(uow: UnitOfWork, audience: Audience) -> int:
        if audience.kind is AudienceKind.GROUP:
            return uow.groups.count_members(audience.org, audience.id)
        return uow.nodes.count(audience.org, audience.type or None)
