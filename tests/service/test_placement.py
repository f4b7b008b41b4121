"""Destinations changed by hand: by an operator, or by an engine that places policy objects."""

from __future__ import annotations

import pytest

from common.domain.delivery import PeerConsumed, PeerDroppedIt, PeerReceived
from common.domain.errors import InvalidRequest, NotFound
from common.domain.ids import NodeKey
from common.domain.metadata import Policy
from common.domain.objects import Payload
from common.sync import fan_out
from common.sync.sender import PeerAnswer
from tests.support.sides import Side, key, node

N1, N2, N3 = node("n1"), node("n2"), node("n3")


def replace(cloud: Side, *nodes: NodeKey) -> None:
    cloud.database.write(lambda uow: cloud.placement.replace(uow, key(), nodes))


def add(cloud: Side, *nodes: NodeKey) -> None:
    cloud.database.write(lambda uow: cloud.placement.add(uow, key(), nodes))


def remove(cloud: Side, *nodes: NodeKey) -> None:
    cloud.database.write(lambda uow: cloud.placement.remove(uow, key(), nodes))


def received(cloud: Side, *nodes: NodeKey) -> None:
    for each in nodes:
        cloud.poll(each)
        item = cloud.find()
        assert item is not None
        answer = PeerAnswer(key(), each, item.instance, PeerReceived())
        cloud.database.write(lambda uow, answer=answer: cloud.sender.answer(uow, answer))  # type: ignore[misc]


def messages(cloud: Side, to: NodeKey) -> list[str]:
    return [outgoing.message.value for outgoing in cloud.poll(to)]


def put_data(cloud: Side, data: bytes = b"v2") -> None:
    payload = Payload(f"payload-{data!r}", len(data), "digest", is_small=True)
    cloud.database.write(lambda uow: cloud.publisher.put_data(uow, key(), payload, data))


def test_a_policy_object_waits_for_whoever_places_it(cloud: Side) -> None:
    cloud.register(N1, N2)
    cloud.put(destination_policy=Policy(constraints=["a == b"]))
    assert cloud.destinations() == {}

    add(cloud, N1)

    assert cloud.destinations() == {"n1": "delivering"}
    assert messages(cloud, N1) == ["update"]
    assert messages(cloud, N2) == []


def test_replacing_destinations_tells_those_that_drop_out_and_leaves_the_others_alone(cloud: Side) -> None:
    cloud.register(N1, N2, N3)
    cloud.put(destinations_list=["edge:n1", "edge:n2"])
    received(cloud, N1, N2)

    replace(cloud, N2, N3)

    assert cloud.destinations() == {"n2": "delivered", "n3": "delivering"}
    assert messages(cloud, N1) == ["delete"]
    assert messages(cloud, N2) == []
    item = cloud.find()
    assert item is not None
    assert item.meta.destinations_list == ["edge:n1", "edge:n2"]


def test_who_was_never_sent_anything_drops_out_silently(cloud: Side) -> None:
    cloud.register(N1)
    cloud.put(destinations_list=["edge:n1"])

    remove(cloud, N1)

    assert cloud.destinations() == {}
    assert messages(cloud, N1) == []


def test_a_removed_node_that_is_added_again_before_it_has_heard_gets_the_object_and_no_deletion(cloud: Side) -> None:
    cloud.register(N1)
    cloud.put(destinations_list=["edge:n1"])
    received(cloud, N1)

    remove(cloud, N1)
    add(cloud, N1)

    assert messages(cloud, N1) == ["update"]


def test_an_inactive_object_waits_for_its_activation_also_on_nodes_added_by_hand(cloud: Side) -> None:
    cloud.register(N1, N2)
    cloud.put(destinations_list=["edge:n1"], inactive=True)

    add(cloud, N2)
    assert cloud.destinations() == {"n1": "pending", "n2": "pending"}
    assert messages(cloud, N2) == []

    cloud.database.write(lambda uow: cloud.lifecycle.activate(uow, key()))
    assert messages(cloud, N1) == messages(cloud, N2) == ["update"]


def test_new_data_goes_to_whoever_is_a_destination_by_then(cloud: Side) -> None:
    cloud.register(N1, N2, N3)
    cloud.put(destination_type="edge")
    received(cloud, N1, N2, N3)
    remove(cloud, N3)

    put_data(cloud)

    assert cloud.destinations() == {"n1": "delivering", "n2": "delivering"}
    assert messages(cloud, N3) == ["delete"]


def test_new_metadata_says_who_the_destinations_are_whatever_was_changed_by_hand(cloud: Side) -> None:
    cloud.register(N1, N2, N3)
    cloud.put(destinations_list=["edge:n1", "edge:n2"])
    received(cloud, N1, N2)
    replace(cloud, N2, N3)
    received(cloud, N3)

    cloud.put(data=b"v2", destinations_list=["edge:n1", "edge:n2"])

    assert cloud.destinations() == {"n1": "delivering", "n2": "delivering"}
    assert messages(cloud, N3) == ["delete"]


def test_new_metadata_of_a_policy_object_goes_to_those_it_was_placed_on(cloud: Side) -> None:
    cloud.register(N1, N2)
    cloud.put(destination_policy=Policy())
    add(cloud, N1)
    received(cloud, N1)

    cloud.put(data=b"v2", destination_policy=Policy())

    assert cloud.destinations() == {"n1": "delivering"}


def test_a_large_placement_is_renewed_in_the_background(cloud: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "INLINE_FAN_OUT_NODES", 1)
    cloud.register(N1, N2, N3)
    cloud.put(destination_policy=Policy())
    add(cloud, N1, N2, N3)
    received(cloud, N1, N2, N3)

    cloud.put(data=b"v2", destination_policy=Policy())

    assert cloud.destinations() == {"n1": "delivering", "n2": "delivering", "n3": "delivering"}
    assert messages(cloud, N1) == []
    while cloud.database.write(lambda uow: cloud.fan_outs.resume(uow, 1)):
        pass
    assert messages(cloud, N1) == messages(cloud, N2) == messages(cloud, N3) == ["update"]


def test_a_change_in_the_middle_of_a_large_fan_out_concerns_all_of_it(
    cloud: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "INLINE_FAN_OUT_NODES", 1)
    cloud.register(N1, N2, N3)
    cloud.put(destination_type="edge")
    cloud.clock.advance(seconds=10)
    cloud.put(data=b"v2", destination_type="edge")

    remove(cloud, N3)
    while cloud.database.write(lambda uow: cloud.fan_outs.resume(uow, 1)):
        pass

    assert cloud.destinations() == {"n1": "delivering", "n2": "delivering"}


def test_a_withdrawn_node_is_told_even_while_the_metadata_still_addresses_it(cloud: Side) -> None:
    cloud.register(N1, N2)
    cloud.put(destination_type="edge")
    received(cloud, N1)

    remove(cloud, N1)

    outgoing = cloud.poll(N1)
    assert [each.message.value for each in outgoing] == ["delete"]
    answer = PeerAnswer(key(), N1, outgoing[0].meta.instance_id, PeerDroppedIt())
    cloud.database.write(lambda uow: cloud.sender.answer(uow, answer))
    assert cloud.destinations() == {"n2": "delivering"}
    assert cloud.find() is not None


def test_a_change_that_names_a_stranger_changes_nothing(cloud: Side) -> None:
    cloud.register(N1)
    cloud.put(destinations_list=["edge:n1"])

    for change in (add, replace, remove):
        with pytest.raises(InvalidRequest):
            change(cloud, N1, node("stranger"))

    assert cloud.destinations() == {"n1": "delivering"}


def test_what_is_not_there_has_no_destinations_to_change(cloud: Side) -> None:
    cloud.register(N1)
    with pytest.raises(NotFound):
        add(cloud, N1)


def test_naming_a_node_twice_makes_one_destination(cloud: Side) -> None:
    cloud.register(N1)
    cloud.put(destination_policy=Policy())

    add(cloud, N1, N1)
    replace(cloud, N1, N1)

    assert cloud.destinations() == {"n1": "delivering"}


def test_a_node_that_wants_everything_again_gets_also_what_it_has_consumed(cloud: Side) -> None:
    cloud.register(N1)
    instance = cloud.put().instance
    cloud.poll(N1)
    consumed = PeerAnswer(key(), N1, instance, PeerConsumed())
    cloud.database.write(lambda uow: cloud.sender.answer(uow, consumed))
    assert messages(cloud, N1) == []

    cloud.database.write(lambda uow: cloud.registration.resend(uow, N1))

    assert messages(cloud, N1) == ["update"]
