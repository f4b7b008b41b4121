"""What publishing, replacing and deleting cause."""

from __future__ import annotations

import pytest

from common.domain.errors import InvalidRequest, NotFound
from common.domain.objects import ObjectStatus
from common.sync.fan_out import INLINE_FAN_OUT_NODES
from tests.support.sides import Side, key, node


def test_a_publish_is_due_for_exactly_the_nodes_it_addresses(cloud: Side) -> None:
    cloud.register(node("n1"), node("n2"), node("c1", "camera"))

    cloud.put(destination_type="edge")

    assert cloud.destinations() == {"n1": "delivering", "n2": "delivering"}
    assert [out.meta.destination_id for out in cloud.poll(node("n1"))] == ["n1"]
    assert cloud.poll(node("c1", "camera")) == []


def test_the_same_key_twice_in_one_batch_is_applied_in_order_and_delivered_once(cloud: Side) -> None:
    cloud.register(node("n1"))

    first, second = cloud.put_many(cloud.command(data=b"old"), cloud.command(data=b"new"))

    assert first.instance < second.instance
    assert [out.meta.instance_id for out in cloud.poll(node("n1"))] == [second.instance]


def test_a_refused_command_spoils_nobody_elses_and_leaves_nothing(cloud: Side) -> None:
    bad = cloud.command("bad", destinations_list=["edge:unknown"])
    good = cloud.command("good")

    refused, accepted = cloud.database.write(lambda uow: cloud.publisher.put_many(uow, [bad, good]))

    assert isinstance(refused, InvalidRequest)
    assert not isinstance(accepted, Exception)
    assert cloud.find("bad") is None
    assert cloud.find("good") is not None


def test_metadata_without_data_waits_and_its_destinations_are_pending(cloud: Side) -> None:
    cloud.register(node("n1"))

    stored = cloud.put(data=None)

    assert stored.status is ObjectStatus.NOT_READY
    assert cloud.destinations() == {"n1": "pending"}
    assert cloud.poll(node("n1")) == []


def test_a_metadata_only_update_keeps_the_data(cloud: Side) -> None:
    before = cloud.put(data=b"12345")

    after = cloud.put(data=None, meta_only=True, description="new words")

    assert after.payload == before.payload
    assert (after.meta.data_id, after.meta.object_size) == (before.meta.data_id, 5)
    assert after.instance > before.instance


def test_a_node_that_holds_an_older_version_is_told_when_it_drops_out(cloud: Side) -> None:
    cloud.register(node("n1"), node("n2"))
    cloud.put(destination_type="edge", destination_id="n1")
    cloud.poll(node("n1"))
    cloud.put(data=None, destination_type="edge", destination_id="n1")

    cloud.put(data=None, destination_type="edge", destination_id="n2")

    assert [out.message for out in cloud.poll(node("n1"))] == ["delete"]
    assert cloud.destinations()["n2"] == "pending"


def test_beyond_a_hundred_nodes_the_rest_is_opened_in_the_background_and_reported_at_once(cloud: Side) -> None:
    fleet = [node(f"n{number:03}") for number in range(INLINE_FAN_OUT_NODES + 20)]
    cloud.register(*fleet)

    cloud.put()

    assert set(cloud.destinations().values()) == {"delivering"}
    assert len(cloud.destinations()) == len(fleet)
    while cloud.database.write(lambda uow: cloud.fan_outs.resume(uow, limit=50)):
        pass
    assert all(cloud.poll(each) for each in fleet)


def test_a_second_delete_keeps_delivering_the_first_ones_news(cloud: Side) -> None:
    cloud.register(node("n1"))
    cloud.put()

    for _ in range(2):
        cloud.database.write(lambda uow: cloud.publisher.delete(uow, key()))

    assert [out.message for out in cloud.poll(node("n1"))] == ["delete"]
    with pytest.raises(InvalidRequest):
        cloud.put()


def test_an_object_without_destinations_is_gone_at_once(cloud: Side) -> None:
    cloud.put(destination_type="nowhere")

    cloud.database.write(lambda uow: cloud.publisher.delete(uow, key()))

    assert cloud.find() is None
    with pytest.raises(NotFound):
        cloud.database.write(lambda uow: cloud.publisher.delete(uow, key()))


def test_whatever_an_edge_addresses_goes_to_the_cloud(edge: Side) -> None:
    edge.put(destination_type="somewhere")

    assert edge.destinations() == {"Cloud": "delivering"}
