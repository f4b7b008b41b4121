"""What peers answer, and what becomes of it."""

from __future__ import annotations

import pytest

from common.domain.delivery import DeliveryEvent, PeerConsumed, PeerDroppedIt, PeerFailed, PeerReceived, PeerUpdated
from common.domain.errors import Ignored
from common.domain.ids import NodeKey, cloud_of
from common.domain.objects import ObjectStatus
from common.sync.sender import PeerAnswer
from tests.support.sides import ORG, Side, key, node


def answer(side: Side, peer: NodeKey, instance: int, event: DeliveryEvent) -> None:
    side.database.write(lambda uow: side.sender.answer(uow, PeerAnswer(key(), peer, instance, event)))


def test_a_delivery_is_followed_from_the_offer_to_its_consumption(cloud: Side) -> None:
    cloud.register(node("n1"))
    instance = cloud.put().instance
    seen = []

    for event in (PeerUpdated(), PeerReceived(), PeerConsumed(), PeerReceived()):
        answer(cloud, node("n1"), instance, event)
        seen.append(cloud.destinations()["n1"])

    assert seen == ["delivering", "delivered", "consumed", "consumed"]


def test_an_answer_about_another_instance_or_from_a_stranger_changes_nothing(cloud: Side) -> None:
    cloud.register(node("n1"), node("n2"))
    old = cloud.put(destination_type="edge", destination_id="n1").instance
    cloud.put(data=b"new", destination_type="edge", destination_id="n1")

    for peer, instance in ((node("n1"), old), (node("n2"), old)):
        with pytest.raises(Ignored):
            answer(cloud, peer, instance, PeerReceived())

    assert cloud.destinations() == {"n1": "delivering"}


def test_an_unanswered_offer_is_repeated_later_and_not_before(cloud: Side) -> None:
    cloud.register(node("n1"))
    cloud.put()

    assert len(cloud.poll(node("n1"))) == 1
    assert cloud.poll(node("n1")) == []
    cloud.clock.advance(seconds=10)
    assert len(cloud.poll(node("n1"))) == 1


def test_a_failure_is_shown_with_its_reason_and_tried_again(cloud: Side) -> None:
    cloud.register(node("n1"))
    instance = cloud.put().instance
    cloud.poll(node("n1"))

    answer(cloud, node("n1"), instance, PeerFailed("disk full", retry_after_ms=3_000))

    assert cloud.destinations() == {"n1": "error"}
    assert cloud.poll(node("n1")) == []
    cloud.clock.advance(seconds=4)
    assert len(cloud.poll(node("n1"))) == 1


def test_a_deleted_object_is_gone_when_every_node_has_dropped_it(cloud: Side) -> None:
    cloud.register(node("n1"), node("n2"))
    instance = cloud.put().instance
    cloud.database.write(lambda uow: cloud.publisher.delete(uow, key()))

    answer(cloud, node("n1"), instance, PeerDroppedIt())
    left = cloud.find()
    answer(cloud, node("n2"), instance, PeerDroppedIt())

    assert left is not None
    assert left.status is ObjectStatus.DELETED
    assert cloud.find() is None


def test_an_edges_object_is_kept_without_its_data_once_the_cloud_consumed_it(edge: Side) -> None:
    instance = edge.put().instance
    edge.poll(cloud_of(ORG))

    answer(edge, cloud_of(ORG), instance, PeerConsumed())

    kept = edge.find()
    assert kept is not None
    assert (kept.status, kept.payload) == (ObjectStatus.CONSUMED_BY_DESTINATION, None)
    assert edge.put(data=b"again").status is ObjectStatus.READY


def test_a_node_that_comes_back_is_offered_what_it_has_not_answered(cloud: Side) -> None:
    cloud.register(node("n1"))
    cloud.put()
    cloud.poll(node("n1"))

    known = cloud.database.write(
        lambda uow: cloud.registration.register(uow, node("n1"), is_persistent=True, capabilities=frozenset())
    )

    assert known
    assert len(cloud.poll(node("n1"))) == 1


def test_a_node_that_registers_late_gets_what_is_for_it(cloud: Side) -> None:
    cloud.put("for-all")
    cloud.put("for-edges", destination_type="edge")
    cloud.put("for-cameras", destination_type="camera")

    cloud.register(node("late"))

    assert {out.meta.object_id for out in cloud.poll(node("late"))} == {"for-all", "for-edges"}


def test_the_last_node_to_leave_completes_a_deletion(cloud: Side) -> None:
    cloud.register(node("n1"))
    cloud.put()
    cloud.database.write(lambda uow: cloud.publisher.delete(uow, key()))

    cloud.database.write(lambda uow: cloud.registration.unregister(uow, node("n1")))

    assert cloud.find() is None
