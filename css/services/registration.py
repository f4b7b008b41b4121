"""The cloud's use cases about nodes: they appear, come back, give signs of life, and leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from common.domain.delivery import DeliveryState
from common.domain.ids import NodeKey
from common.domain.labels import Labels, LabelSource
from common.domain.nodes import Node
from common.domain.objects import ObjectStatus
from common.sync import wakeups
from common.sync.membership import forget
from common.sync.ports import UnitOfWork
from common.sync.reviews import Reviews


class Registration:
    """wire-protocol 2.4. The node is the authenticated one, whatever the request's path says."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._reviews = Reviews(now_ms)

    def register(
        self,
        uow: UnitOfWork,
        key: NodeKey,
        *,
        is_persistent: bool,
        capabilities: frozenset[str],
        labels: Labels | None = None,
    ) -> bool:
        """A node says it has started; False when it is not known and has to register as new.

        What it has not acknowledged is due at once; a node that lost its store gets delivered objects again, too. `labels`
        are all it says about itself; None when it does not speak about that.
        """
        if labels is not None and uow.labels.of_node(key).get(LabelSource.REGISTRATION, {}) != labels:
            uow.nodes.lock_org(key.org)
        else:
            labels = None
        known = uow.nodes.find(key, lock=True)
        if known is None:
            return False
        now_ms = self._now_ms()
        uow.nodes.save(replace(known, is_persistent=is_persistent, capabilities=capabilities, last_seen_at_ms=now_ms))
        uow.deliveries.requeue_of_node(key, now_ms, lost_everything=not is_persistent)
        uow.receptions.requeue_answers(key, now_ms)
        if labels is not None:
            uow.labels.replace(key, LabelSource.REGISTRATION, labels)
            self._reviews.node_changed(uow, key)
        uow.wake(wakeups.node_topic(key))
        return True

    def register_new(
        self,
        uow: UnitOfWork,
        key: NodeKey,
        *,
        is_persistent: bool,
        capabilities: frozenset[str],
        labels: Labels | None = None,
    ) -> None:
        """A node starts from nothing: everything addressed to it that it has not consumed is due."""
        uow.nodes.lock_org(key.org)
        now_ms = self._now_ms()
        node = Node(
            key,
            is_persistent=is_persistent,
            capabilities=capabilities,
            registered_at_ms=now_ms,
            last_seen_at_ms=now_ms,
        )
        uow.nodes.save(node)
        uow.deliveries.requeue_of_node(key, now_ms, lost_everything=True)
        uow.deliveries.open_for_node(key, now_ms)
        if labels is not None:
            uow.labels.replace(key, LabelSource.REGISTRATION, labels)
        self._reviews.node_changed(uow, key)
        uow.wake(wakeups.node_topic(key))

    def ping(self, uow: UnitOfWork, key: NodeKey) -> bool:
        """A sign of life; False when the node is not known."""
        if uow.nodes.find(key) is None:
            return False
        uow.nodes.touch(key, self._now_ms())
        return True

    def resend(self, uow: UnitOfWork, key: NodeKey) -> None:
        """The node wants everything again, also what it has consumed (rest-api 3.20)."""
        uow.deliveries.resend_to_node(key, self._now_ms())
        uow.wake(wakeups.node_topic(key))

    def unregister(self, uow: UnitOfWork, key: NodeKey) -> None:
        """The node leaves for good: nothing is owed to it any more. Unknown nodes are fine."""
        uow.nodes.lock_org(key.org)
        uow.nodes.remove(key)
        # A page under way may be opening deliveries for this node.
        uow.fan_outs.hold_of_org(key.org)
        deleting = [d.object for d in uow.deliveries.list_of_node(key) if d.state is DeliveryState.DELETING]
        uow.deliveries.remove_of_node(key)
        forget(uow, key)
        uow.labels.replace(key, LabelSource.REGISTRATION, {})
        for object_key in deleting:
            item = uow.objects.find(object_key, lock=True)
            if (
                item is not None
                and item.status is ObjectStatus.DELETED
                and not uow.deliveries.has_undeleted(object_key)
            ):
                uow.deliveries.remove_of_object(object_key)
                uow.objects.remove(object_key)
