"""The edge's session with the cloud: what happens here when the link comes up."""

from __future__ import annotations

from collections.abc import Callable

from common.domain.ids import NodeKey
from common.domain.nodes import Node
from common.sync import wakeups
from common.sync.ports import UnitOfWork

#: The session is up: workers that talk to the cloud may start.
LINK_UP = "link-up"


class Session:
    """Use cases."""

    def __init__(self, cloud: NodeKey, now_ms: Callable[[], int]) -> None:
        self._cloud = cloud
        self._now_ms = now_ms

    def know_cloud(self, uow: UnitOfWork) -> None:
        """The cloud is the one destination of everything published here."""
        if uow.nodes.find(self._cloud) is None:
            uow.nodes.save(Node(self._cloud, registered_at_ms=self._now_ms()))

    def is_first(self, uow: UnitOfWork) -> bool:
        """Was the link never up with this database? Then what the cloud believes we hold is not here any more."""
        cloud = uow.nodes.find(self._cloud)
        return cloud is None or cloud.last_seen_at_ms == 0

    def forget_link(self, uow: UnitOfWork) -> None:
        """This node has left: should it come back, it comes as a new one."""
        uow.nodes.touch(self._cloud, 0)

    def link_up(self, uow: UnitOfWork, *, as_new: bool) -> None:
        """Everything unanswered is due at once. A cloud that met us for the first time gets all our objects (wire-protocol 2.4)."""
        now_ms = self._now_ms()
        uow.nodes.touch(self._cloud, now_ms)
        uow.deliveries.requeue_of_node(self._cloud, now_ms, lost_everything=as_new)
        uow.receptions.requeue_answers(self._cloud, now_ms)
        uow.wake(LINK_UP, wakeups.FETCH, wakeups.ANSWERS, wakeups.node_topic(self._cloud))
