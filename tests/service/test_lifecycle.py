"""Activation, expiration, autodelete."""

from __future__ import annotations

import pytest

from common.domain.delivery import PeerConsumed
from common.domain.errors import InvalidRequest, NotFound
from common.domain.instants import format_instant, parse_instant_ms
from common.domain.metadata import Policy
from common.domain.objects import ObjectStatus
from common.runtime.timetable import Timetable
from common.sync.records import FanOut
from common.sync.sender import PeerAnswer
from tests.support.sides import Side, key, node

N1, N2 = node("n1"), node("n2")
HOUR_SECONDS = 3600


def in_seconds(side: Side, seconds: float) -> str:
    return format_instant(side.clock.now_ms() + round(seconds * 1000))


def timetable(side: Side, *, expires: bool = True) -> Timetable:
    return Timetable(side.database, side.lifecycle, side.clock, expires=expires)


def activate(side: Side) -> None:
    side.database.write(lambda uow: side.lifecycle.activate(uow, key()))


def test_an_inactive_object_goes_out_when_it_is_activated_in_the_same_instance(cloud: Side) -> None:
    cloud.register(N1)
    before = cloud.put(inactive=True)
    assert cloud.destinations() == {"n1": "pending"}

    activate(cloud)

    after = cloud.find()
    assert after is not None
    assert (after.instance, after.meta.inactive) == (before.instance, False)
    assert len(cloud.poll(N1)) == 1


def test_activating_an_active_object_sends_nothing_again(cloud: Side) -> None:
    cloud.register(N1)
    instance = cloud.put().instance
    cloud.poll(N1)
    cloud.database.write(lambda uow: cloud.sender.answer(uow, PeerAnswer(key(), N1, instance, PeerConsumed())))

    activate(cloud)

    assert cloud.destinations() == {"n1": "consumed"}
    assert cloud.poll(N1) == []


def test_an_object_activated_before_its_data_goes_out_with_it(cloud: Side) -> None:
    cloud.register(N1)
    cloud.put(data=None, inactive=True)

    activate(cloud)
    assert cloud.poll(N1) == []
    cloud.put(data=b"here")

    assert len(cloud.poll(N1)) == 1


def test_what_cannot_be_activated_is_refused(cloud: Side) -> None:
    with pytest.raises(InvalidRequest):
        activate(cloud)


def test_an_activation_time_comes_by_itself(cloud: Side) -> None:
    cloud.register(N1)
    cloud.put(inactive=True, activation_time=in_seconds(cloud, 20))
    turns = timetable(cloud)

    assert 0 < turns.turn() <= 20
    assert cloud.poll(N1) == []
    cloud.clock.advance(seconds=20)
    turns.turn()

    assert len(cloud.poll(N1)) == 1
    item = cloud.find()
    assert item is not None
    assert item.meta.activation_time


def test_an_expired_object_is_gone_and_nodes_are_not_told(cloud: Side) -> None:
    cloud.register(N1)
    cloud.put(expiration=in_seconds(cloud, 20))
    cloud.poll(N1)
    turns = timetable(cloud)

    assert turns.turn() <= 20
    cloud.clock.advance(seconds=21)
    turns.turn()

    assert cloud.find() is None
    assert cloud.poll(N1) == []
    with pytest.raises(NotFound):
        cloud.destinations()


def test_an_expiration_with_an_offset_means_that_instant(cloud: Side) -> None:
    west = in_seconds(cloud, 60 - 8 * HOUR_SECONDS).replace("Z", "-08:00")
    assert parse_instant_ms(west) == cloud.clock.now_ms() + 60_000
    cloud.put(expiration=west)
    turns = timetable(cloud)

    cloud.clock.advance(seconds=59)
    turns.turn()
    assert cloud.find() is not None
    cloud.clock.advance(seconds=2)
    turns.turn()
    assert cloud.find() is None


def test_a_node_that_is_being_told_to_drop_it_is_told_also_when_the_object_expires_meanwhile(cloud: Side) -> None:
    cloud.register(N1, N2)
    cloud.put(destinations_list=["edge:n1"])
    cloud.poll(N1)
    cloud.put(destinations_list=["edge:n2"], expiration=in_seconds(cloud, 5))
    turns = timetable(cloud)

    cloud.clock.advance(seconds=6)
    turns.turn()

    assert [outgoing.message.value for outgoing in cloud.poll(N1)] == ["delete"]
    assert cloud.poll(N2) == []


def test_after_a_jump_of_the_clock_nothing_expires_for_a_while(cloud: Side) -> None:
    cloud.put(expiration=in_seconds(cloud, 24 * HOUR_SECONDS))
    turns = timetable(cloud)
    turns.turn()
    right = cloud.clock.now_ms()

    cloud.clock.set_wall(right + 10 * 365 * 24 * HOUR_SECONDS * 1000)
    turns.turn()
    cloud.clock.advance(seconds=300)
    turns.turn()
    assert cloud.find() is not None

    cloud.clock.set_wall(right + 300_000)
    turns.turn()
    cloud.clock.advance(seconds=700)
    turns.turn()
    assert cloud.find() is not None
    cloud.clock.advance(seconds=24 * HOUR_SECONDS)
    turns.turn()
    assert cloud.find() is None


def test_autodelete_sets_an_expiration_once_everybody_has_consumed(cloud: Side) -> None:
    cloud.register(N1, N2)
    instance = cloud.put(destinations_list=["edge:n1", "edge:n2"], autodelete=True).instance
    expirations = []

    for each in (N1, N2):
        cloud.poll(each)
        answer = PeerAnswer(key(), each, instance, PeerConsumed())
        cloud.database.write(lambda uow, answer=answer: cloud.sender.answer(uow, answer))  # type: ignore[misc]
        item = cloud.find()
        assert item is not None
        expirations.append(item.meta.expiration)

    assert expirations == ["", in_seconds(cloud, HOUR_SECONDS)]
    after = cloud.find()
    assert after is not None
    assert after.instance == instance


def test_an_edge_activates_but_expires_nothing(edge: Side) -> None:
    edge.put(inactive=True, activation_time=in_seconds(edge, 1))
    turns = timetable(edge, expires=False)

    edge.clock.advance(seconds=2)
    turns.turn()

    item = edge.find()
    assert item is not None
    assert (item.status, item.meta.inactive) == (ObjectStatus.READY, False)


def test_a_received_policy_is_marked_until_the_metadata_changes(cloud: Side) -> None:
    cloud.put(destination_policy=Policy())

    cloud.database.write(lambda uow: cloud.lifecycle.mark_policy_received(uow, key()))
    marked = cloud.find()
    cloud.put(destination_policy=Policy())
    unmarked = cloud.find()

    assert marked is not None
    assert unmarked is not None
    assert (marked.is_policy_received, unmarked.is_policy_received) == (True, False)
    with pytest.raises(NotFound):
        cloud.database.write(lambda uow: cloud.lifecycle.mark_policy_received(uow, key("missing")))


def test_an_object_deleted_before_its_activation_holds_up_nobody(cloud: Side) -> None:
    cloud.register(N1)
    for name in ("deleted", "other"):
        cloud.put(name, inactive=True, activation_time=in_seconds(cloud, 60))
    cloud.database.write(lambda uow: cloud.publisher.delete(uow, key("deleted")))
    worker = timetable(cloud)
    cloud.clock.advance(seconds=61)

    worker.turn()

    assert cloud.destinations("other") == {"n1": "delivering"}
    assert cloud.destinations("deleted") == {"n1": "delivering"}


def test_expiration_leaves_neither_data_nor_an_unfinished_fan_out(cloud: Side) -> None:
    cloud.register(N1)
    item = cloud.put(data=b"v1", expiration=in_seconds(cloud, 20))
    assert item.payload is not None
    name = item.payload.name
    fan_out = FanOut(key(), item.instance, cloud.local.audience(item.meta), is_deliverable=True)
    cloud.database.write(lambda uow: uow.fan_outs.add(fan_out))
    turns = timetable(cloud)
    turns.turn()

    cloud.clock.advance(seconds=HOUR_SECONDS)
    turns.turn()

    assert cloud.find() is None
    assert cloud.database.read(lambda uow: uow.fan_outs.find(key())) is None
    with pytest.raises(NotFound):
        cloud.database.read(lambda uow: uow.payloads.read_small(name))
