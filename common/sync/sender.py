"""The sender's use cases: hand out what is due for a peer, and take in what peers answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from common.domain.addressing import GROUP_TYPE, AudienceKind
from common.domain.delivery import (
    Delivery,
    DeliveryEvent,
    DeliveryState,
    Offered,
    OutboxMessage,
    message_of,
    step,
)
from common.domain.errors import Ignored, ProtocolViolation, SyncError
from common.domain.ids import NodeKey, ObjectKey
from common.domain.instants import format_instant
from common.domain.metadata import Metadata
from common.domain.objects import ObjectStatus, Payload, SyncObject
from common.domain.publishing import LocalNode
from common.sync import wakeups
from common.sync.ports import UnitOfWork

#: An object with `autodelete` is kept so long after the last destination has consumed it (rest-api 5.7).
AUTODELETE_AFTER_MS = 3600 * 1000

#: A delivery that waits for its object's fan-out to catch up is looked at again this much later.
_STALE_RETRY_MS = 1_000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for one peer."""

    message: OutboxMessage
    meta: Metadata
    payload: Payload | None


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What a peer says about one of our objects."""

    object: ObjectKey
    node: NodeKey
    instance: int
    event: DeliveryEvent


class Sender:
    """Drives deliveries of own objects, whichever transport carries them."""

    def __init__(self, local: LocalNode, now_ms: Callable[[], int], random: Callable[[], float]) -> None:
        self._local = local
        self._now_ms = now_ms
        self._random = random

    def claim(self, uow: UnitOfWork, node: NodeKey, limit: int) -> list[Outgoing]:
        """Take what is due for `node`, oldest first. Each is due again later unless the peer answers."""
        now_ms = self._now_ms()
        outgoing: list[Outgoing] = []
        stepped: list[Delivery] = []
        for delivery, item in uow.deliveries.claim_due(node, now_ms, limit):
            message = message_of(delivery.state)
            if message is None or self._awaits_fan_out(uow, delivery, item, message):
                stepped.append(replace(delivery, due_at_ms=now_ms + _STALE_RETRY_MS))
                continue
            # The peer's answer will name the instance that the message names.
            offered = replace(delivery, instance=item.instance)
            stepped.append(step(offered, Offered(), now_ms, self._random()))
            outgoing.append(Outgoing(message, _addressed(item.meta, self._local, node, message), item.payload))
        uow.deliveries.save_many(stepped)
        return outgoing

    @staticmethod
    def _awaits_fan_out(uow: UnitOfWork, delivery: Delivery, item: SyncObject, message: OutboxMessage) -> bool:
        """Is this about an earlier version, while the present one has not been opened for the node yet?"""
        if message is OutboxMessage.UPDATE:
            return delivery.instance != item.instance
        if item.status is ObjectStatus.DELETED:
            return False
        # A node that is addressed again must not be told of a deletion under the instance it is about to get.
        unfinished = uow.fan_outs.find(item.key)
        return unfinished is not None and unfinished.audience.kind is not AudienceKind.PLACED

    def answer_many(self, uow: UnitOfWork, answers: Sequence[PeerAnswer]) -> list[SyncError | None]:
        """Apply a batch of answers; for each, None or why it changed nothing (Ignored, ProtocolViolation)."""
        now_ms = self._now_ms()
        deliveries = uow.deliveries.find_many(sorted({(a.object, a.node) for a in answers}))
        changed: dict[tuple[ObjectKey, NodeKey], Delivery] = {}
        results: list[SyncError | None] = []
        for answer in answers:
            try:
                stepped = self._apply(deliveries, answer, now_ms)
            except (Ignored, ProtocolViolation) as error:
                results.append(error)
                continue
            deliveries[answer.object, answer.node] = changed[answer.object, answer.node] = stepped
            results.append(None)
        uow.deliveries.save_many(list(changed.values()))
        for delivery in changed.values():
            self._follow_up(uow, delivery)
        self._expire_if_used_up(uow, [d for d in changed.values() if d.state is DeliveryState.CONSUMED])
        return results

    def answer(self, uow: UnitOfWork, answer: PeerAnswer) -> None:
        """Apply one answer. Raises Ignored or ProtocolViolation when it changed nothing."""
        error = self.answer_many(uow, [answer])[0]
        if error is not None:
            raise error

    def _apply(
        self, deliveries: dict[tuple[ObjectKey, NodeKey], Delivery], answer: PeerAnswer, now_ms: int
    ) -> Delivery:
        delivery = deliveries.get((answer.object, answer.node))
        if delivery is None or delivery.instance != answer.instance:
            raise Ignored
        return step(delivery, answer.event, now_ms, self._random())

    def _follow_up(self, uow: UnitOfWork, delivery: Delivery) -> None:
        if delivery.state is DeliveryState.DELETED:
            self._deletion_acknowledged(uow, delivery)
        elif delivery.state is DeliveryState.CONSUMED and not self._local.is_cloud:
            self._consumed_by_cloud(uow, delivery)

    def _expire_if_used_up(self, uow: UnitOfWork, consumed: Sequence[Delivery]) -> None:
        """`autodelete`: every destination has consumed the object, and so it goes, in a while (rest-api 5.7)."""
        if not self._local.is_cloud or not consumed:
            return
        expiration = format_instant(self._now_ms() + AUTODELETE_AFTER_MS)
        for key in sorted({d.object for d in consumed}):
            if not _autodeletes(uow.objects.find(key)):
                continue
            # The last two destinations may consume it at the same time: the lock lets one of them see both.
            item = uow.objects.find(key, lock=True)
            if item is None or not _autodeletes(item):
                continue
            if uow.fan_outs.find(item.key) is None and all(
                d.state is DeliveryState.CONSUMED for d in uow.deliveries.list_of_object(item.key)
            ):
                meta = msgspec.structs.replace(item.meta, expiration=expiration)
                uow.objects.save_many([replace(item, meta=meta)])
                uow.wake(wakeups.TIMETABLE)

    def _deletion_acknowledged(self, uow: UnitOfWork, delivery: Delivery) -> None:
        item = uow.objects.find(delivery.object, lock=True)
        if item is not None and item.status is not ObjectStatus.DELETED:
            uow.deliveries.remove(delivery.object, delivery.node)  # no longer a destination; the object lives on
        elif not uow.deliveries.has_undeleted(delivery.object):
            uow.deliveries.remove_of_object(delivery.object)
            uow.objects.remove(delivery.object)

    def _consumed_by_cloud(self, uow: UnitOfWork, delivery: Delivery) -> None:
        """An edge's object has one destination: once consumed, its data is of no more use here (rest-api 5.2)."""
        item = uow.objects.find(delivery.object, lock=True)
        if item is None or item.status is not ObjectStatus.READY or item.instance != delivery.instance:
            return
        if item.payload is not None:
            uow.payloads.discard_many([item.payload], self._now_ms())
        uow.objects.save_many([replace(item, status=ObjectStatus.CONSUMED_BY_DESTINATION, payload=None)])


def _autodeletes(item: SyncObject | None) -> bool:
    if item is None or item.status is not ObjectStatus.READY:
        return False
    return item.meta.autodelete and not item.meta.expiration


def _addressed(meta: Metadata, local: LocalNode, node: NodeKey, message: OutboxMessage) -> Metadata:
    """Towards an edge, the copy carries that node's id; towards the cloud, the sending edge's type and id (wire-protocol 1.2)."""
    is_deleted = message is OutboxMessage.DELETE
    if local.is_cloud:
        # Of a group its members know nothing: to each the object is its own.
        node_type = node.type if meta.destination_type == GROUP_TYPE else meta.destination_type
        return msgspec.structs.replace(meta, destination_type=node_type, destination_id=node.id, deleted=is_deleted)
    return msgspec.structs.replace(meta, destination_type=local.type, destination_id=local.id, deleted=is_deleted)
