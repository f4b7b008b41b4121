"""The outbox in memory: `ports.DeliveryStore` and `ports.FanOutStore`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from common.domain.addressing import Audience, AudienceKind
from common.domain.delivery import (
    REPORTED_STATES,
    Delivery,
    DeliveryState,
    PeerLostIt,
    PeerReconnected,
    Readied,
    Withdrawn,
    opening,
    step,
)
from common.domain.ids import NodeKey, ObjectKey
from common.domain.metadata import Metadata
from common.domain.objects import SENDING, SyncObject
from common.domain.retry import ANNOUNCED_RETRY, FAILURE_RETRY, OFFER_RETRY
from common.sync.records import FanOut, Opening
from tests.support.memory_tables import MemoryTables

#: No delivery is ever due further ahead than this, unless the clock was wrong when that was decided.
LONGEST_RETRY_MS = max(policy.longest_ms for policy in (OFFER_RETRY, ANNOUNCED_RETRY, FAILURE_RETRY))

_NO_MORE = (DeliveryState.DELETING, DeliveryState.DELETED)


class MemoryDeliveryStore:
    def __init__(self, tables: MemoryTables, audience_of: Callable[[Metadata], Audience]) -> None:
        self._tables = tables
        self._audience_of = audience_of
        self._deliveries = tables.deliveries

    def open_many(self, openings: Sequence[Opening]) -> None:
        for each in openings:
            for node in self._nodes_of(each.audience, each.object):
                self._open(opening(each.object, node, each.instance, each.is_deliverable, each.now_ms))

    def open_page(self, fan_out: FanOut, now_ms: int, limit: int) -> NodeKey | None:
        nodes = sorted(self._nodes_of(fan_out.audience, fan_out.object))
        page = [node for node in nodes if fan_out.after is None or node > fan_out.after][:limit]
        for node in page:
            standing = self._deliveries.find((fan_out.object, node))
            if standing is None or standing.instance < fan_out.instance:
                self._open(opening(fan_out.object, node, fan_out.instance, fan_out.is_deliverable, now_ms))
        return page[-1] if page else None

    def open_for_node(self, node: NodeKey, now_ms: int) -> None:
        for each in sorted(self._tables.objects, key=lambda each: each.key):
            is_on_offer = each.is_own and each.status in SENDING
            is_addressed = is_on_offer and self._audience_of(each.meta).includes(node)
            if is_addressed and (each.key, node) not in self._deliveries:
                self._open(opening(each.key, node, each.instance, each.is_deliverable, now_ms))

    def find_many(self, ids: Sequence[tuple[ObjectKey, NodeKey]]) -> dict[tuple[ObjectKey, NodeKey], Delivery]:
        found = {each: self._deliveries.find(each) for each in ids}
        return {each: delivery for each, delivery in found.items() if delivery}

    def save_many(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._put(delivery)

    def claim_due(self, node: NodeKey, now_ms: int, limit: int) -> list[tuple[Delivery, SyncObject]]:
        return self._due(node, now_ms)[:limit]

    def has_due(self, node: NodeKey, now_ms: int) -> bool:
        return bool(self._due(node, now_ms))

    def next_due_at(self, node: NodeKey) -> int | None:
        return min((due_at_ms for _, due_at_ms in self._open_of_node(node)), default=None)

    def list_of_object(self, key: ObjectKey) -> list[Delivery]:
        return [delivery for delivery in self._deliveries if delivery.object == key]

    def list_of_node(self, node: NodeKey) -> list[Delivery]:
        deliveries = [delivery for delivery in self._deliveries if delivery.node == node]
        return sorted(deliveries, key=lambda delivery: delivery.object)

    def page_of_node(self, node: NodeKey, *, after: tuple[str, str], limit: int) -> list[Delivery]:
        reported = [each for each in self.list_of_node(node) if each.state in REPORTED_STATES]
        return [each for each in reported if each.object[1:] > after][:limit]

    def withdraw_unaddressed(self, key: ObjectKey, audience: Audience, now_ms: int) -> None:
        for delivery in self.list_of_object(key):
            if not self._includes(audience, delivery.node):
                self._withdraw(delivery, now_ms)

    def withdraw_nodes(self, key: ObjectKey, nodes: Sequence[NodeKey], now_ms: int) -> None:
        for delivery in self.list_of_object(key):
            if delivery.node in nodes:
                self._withdraw(delivery, now_ms)

    def release(self, key: ObjectKey, now_ms: int) -> None:
        for delivery in self.list_of_object(key):
            if delivery.state is DeliveryState.WAITING:
                self._put(step(delivery, Readied(), now_ms))

    def has_more_than(self, key: ObjectKey, count: int) -> bool:
        return len(self.list_of_object(key)) > count

    def withdraw_all(self, key: ObjectKey, now_ms: int) -> int:
        deliveries = self.list_of_object(key)
        for delivery in deliveries:
            self._put(step(delivery, Withdrawn(), now_ms))
        return len(deliveries)

    def remove_settled(self, key: ObjectKey) -> int:
        for delivery in self.list_of_object(key):
            if delivery.state is not DeliveryState.DELETING:
                self.remove(delivery.object, delivery.node)
        return len(self.list_of_object(key))

    def has_undeleted(self, key: ObjectKey) -> bool:
        return any(delivery.state is not DeliveryState.DELETED for delivery in self.list_of_object(key))

    def remove(self, key: ObjectKey, node: NodeKey) -> None:
        self._deliveries.remove((key, node))

    def remove_of_object(self, key: ObjectKey) -> None:
        for delivery in self.list_of_object(key):
            self.remove(delivery.object, delivery.node)

    def remove_of_node(self, node: NodeKey) -> None:
        for delivery in self.list_of_node(node):
            self.remove(delivery.object, delivery.node)

    def resend_to_node(self, node: NodeKey, now_ms: int) -> None:
        for delivery in self.list_of_node(node):
            item = self._tables.objects.find(delivery.object)
            if delivery.state not in _NO_MORE and item is not None and item.is_deliverable:
                self._put(replace(delivery, state=DeliveryState.PENDING, due_at_ms=now_ms, attempts=0))

    def requeue_of_node(self, node: NodeKey, now_ms: int, *, lost_everything: bool) -> None:
        event = PeerLostIt() if lost_everything else PeerReconnected()
        for delivery in self.list_of_node(node):
            self._put(step(delivery, event, now_ms))

    def _includes(self, audience: Audience, node: NodeKey) -> bool:
        if audience.kind is AudienceKind.GROUP:
            return node.org == audience.org and (node, audience.id) in self._tables.group_members
        return audience.includes(node)

    def _nodes_of(self, audience: Audience, key: ObjectKey) -> list[NodeKey]:
        """Nodes of a list as they are, those placed by hand; of every other audience those registered, in key order."""
        if audience.kind is AudienceKind.PLACED:
            return [delivery.node for delivery in self.list_of_object(key) if delivery.state not in _NO_MORE]
        if audience.kind is AudienceKind.LIST:
            return list(audience.nodes)
        if audience.kind is AudienceKind.GROUP:
            members = (node for group, node in self._tables.group_members if group == audience.id)
            return sorted(node for node in members if node.org == audience.org)
        return sorted(node.key for node in self._tables.nodes if audience.includes(node.key))

    def _due(self, node: NodeKey, now_ms: int) -> list[tuple[Delivery, SyncObject]]:
        due = []
        for delivery, due_at_ms in sorted(self._open_of_node(node), key=lambda each: each[1]):
            current = self._tables.objects.find(delivery.object)
            if current and not now_ms < due_at_ms <= now_ms + LONGEST_RETRY_MS:
                due.append((delivery, current))
        return due

    def _open_of_node(self, node: NodeKey) -> list[tuple[Delivery, int]]:
        """With their due times; in the order in which they were added."""
        return [
            (delivery, delivery.due_at_ms)
            for delivery in self._deliveries
            if delivery.node == node and delivery.due_at_ms is not None
        ]

    def _withdraw(self, delivery: Delivery, now_ms: int) -> None:
        if delivery.was_sent and delivery.state is not DeliveryState.DELETED:
            self._put(replace(delivery, state=DeliveryState.DELETING, due_at_ms=now_ms, attempts=0))
        else:
            self.remove(delivery.object, delivery.node)

    def _put(self, delivery: Delivery) -> None:
        self._deliveries.put((delivery.object, delivery.node), delivery)

    def _open(self, delivery: Delivery) -> None:
        standing = self._deliveries.find((delivery.object, delivery.node))
        self._put(replace(delivery, was_sent=standing is not None and standing.was_sent))


class MemoryFanOutStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._fan_outs = tables.fan_outs

    def add(self, fan_out: FanOut) -> None:
        self._fan_outs.put(fan_out.object, fan_out)

    def next(self) -> FanOut | None:
        return next(iter(self._fan_outs), None)

    def find(self, key: ObjectKey) -> FanOut | None:
        return self._fan_outs.find(key)

    def hold_of_org(self, org: str) -> None:
        pass

    def advance(self, key: ObjectKey, after: NodeKey) -> None:
        if fan_out := self._fan_outs.find(key):
            self._fan_outs.put(key, replace(fan_out, after=after))

    def remove(self, key: ObjectKey) -> None:
        self._fan_outs.remove(key)
