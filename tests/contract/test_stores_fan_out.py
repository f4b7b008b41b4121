"""What every DeliveryStore promises about opening deliveries, and every FanOutStore."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.domain.addressing import Audience
from common.domain.delivery import Delivery, DeliveryState, opening
from common.domain.ids import NodeKey, cloud_of
from common.domain.metadata import Policy
from common.domain.objects import ObjectStatus
from common.sync.ports import Database
from common.sync.records import FanOut
from tests.support.builders import (
    INSTANCE,
    a_delivery,
    a_fan_out,
    a_node,
    an_object,
    an_opening,
    everyone,
    listed,
    node_key,
    nodes_of_type,
    object_key,
    only,
    placed,
)
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.store_places import Place, given

FLEET = [node_key("n1"), node_key("n2"), node_key("c1", "camera"), node_key("n1", org="other")]

AUDIENCES = [
    pytest.param(everyone(), ["c1", "n1", "n2"], id="everyone"),
    pytest.param(nodes_of_type("edge"), ["n1", "n2"], id="a type"),
    pytest.param(nodes_of_type("edg"), [], id="a type without nodes"),
    pytest.param(only("n2"), ["n2"], id="one node"),
    pytest.param(only(node_key("n2", "camera")), [], id="one node that is not registered"),
    pytest.param(listed("n2", node_key("c1", "camera")), ["c1", "n2"], id="a list"),
    pytest.param(placed(), [], id="nobody until placed"),
]


def deliveries(database: Database, object_id: str = "o1") -> list[Delivery]:
    return database.read(lambda uow: uow.deliveries.list_of_object(object_key(object_id)))


def node_ids(database: Database, object_id: str = "o1") -> list[str]:
    """In the order in which the destinations were added."""
    return [delivery.node.id for delivery in deliveries(database, object_id)]


def open_page(database: Database, fan_out: FanOut, limit: int) -> NodeKey | None:
    return database.write(lambda uow: uow.deliveries.open_page(fan_out, NOW_MS, limit))


def register(database: Database, *nodes: NodeKey) -> None:
    given(database, *(a_node(node) for node in nodes))


@pytest.mark.parametrize(("audience", "addressed"), AUDIENCES)
def test_every_registered_node_of_the_audience_gets_a_delivery(
    database: Database, audience: Audience, addressed: list[str]
) -> None:
    register(database, *FLEET)

    database.write(lambda uow: uow.deliveries.open_many([an_opening("o1", audience)]))

    assert sorted(node_ids(database)) == addressed
    assert all(delivery.node.org == "acme" for delivery in deliveries(database))


@pytest.mark.parametrize("is_deliverable", [True, False])
def test_an_opened_delivery_is_due_now_if_the_object_may_be_sent_and_waits_otherwise(
    database: Database, is_deliverable: bool
) -> None:
    register(database, node_key("n1"))

    opened = an_opening("o1", is_deliverable=is_deliverable, now_ms=NOW_MS + 5)
    database.write(lambda uow: uow.deliveries.open_many([opened]))

    expected = opening(object_key("o1"), node_key("n1"), INSTANCE, is_deliverable, NOW_MS + 5)
    assert deliveries(database) == [expected]


@pytest.mark.parametrize("audience", [everyone(), nodes_of_type(), only("n1"), listed("n1")], ids=lambda a: a.kind)
@pytest.mark.parametrize("state", DeliveryState)
def test_a_new_instance_replaces_whatever_stands_for_the_object_and_node(
    database: Database, audience: Audience, state: DeliveryState
) -> None:
    register(database, node_key("n1"))
    given(database, a_delivery("o1", "n1", state, attempts=3, message="disk full"))

    database.write(lambda uow: uow.deliveries.open_many([an_opening("o1", audience, instance=INSTANCE + 1)]))

    assert deliveries(database) == [opening(object_key("o1"), node_key("n1"), INSTANCE + 1, True, NOW_MS)]


def test_many_openings_of_all_kinds_go_together(database: Database) -> None:
    register(database, *FLEET)

    openings = [
        an_opening("to-all", everyone()),
        an_opening("to-type", nodes_of_type("camera"), is_deliverable=False),
        an_opening("to-node", only("n1"), instance=INSTANCE + 1),
        an_opening("to-list", listed("n2"), now_ms=NOW_MS + 1),
        an_opening("to-all-too", everyone(), instance=INSTANCE + 2),
    ]
    database.write(lambda uow: uow.deliveries.open_many(openings))

    camera, one, two = node_key("c1", "camera"), node_key("n1"), node_key("n2")
    assert {node: database.read(lambda uow: uow.deliveries.list_of_node(node)) for node in (camera, one, two)} == {  # noqa: B023
        camera: [
            opening(object_key("to-all"), camera, INSTANCE, True, NOW_MS),
            opening(object_key("to-all-too"), camera, INSTANCE + 2, True, NOW_MS),
            opening(object_key("to-type"), camera, INSTANCE, False, NOW_MS),
        ],
        one: [
            opening(object_key("to-all"), one, INSTANCE, True, NOW_MS),
            opening(object_key("to-all-too"), one, INSTANCE + 2, True, NOW_MS),
            opening(object_key("to-node"), one, INSTANCE + 1, True, NOW_MS),
        ],
        two: [
            opening(object_key("to-all"), two, INSTANCE, True, NOW_MS),
            opening(object_key("to-all-too"), two, INSTANCE + 2, True, NOW_MS),
            opening(object_key("to-list"), two, INSTANCE, True, NOW_MS + 1),
        ],
    }


def test_opening_nothing_changes_nothing(database: Database) -> None:
    register(database, *FLEET)

    database.write(lambda uow: uow.deliveries.open_many([]))

    assert deliveries(database) == []


def test_nodes_of_a_list_are_taken_as_they_are(database: Database) -> None:
    database.write(lambda uow: uow.deliveries.open_many([an_opening("o1", listed("unknown"))]))

    assert node_ids(database) == ["unknown"]


def test_destinations_keep_their_positions_and_new_ones_come_behind_them(database: Database) -> None:
    register(database, node_key("m"), node_key("z"))
    database.write(lambda uow: uow.deliveries.open_many([an_opening("o1", only("z"))]))
    database.write(lambda uow: uow.deliveries.open_many([an_opening("o1", only("m"))]))
    register(database, node_key("a"))

    database.write(lambda uow: uow.deliveries.open_many([an_opening("o1", everyone(), instance=INSTANCE + 1)]))

    assert node_ids(database) == ["z", "m", "a"]


def test_destinations_of_a_list_come_in_its_order(database: Database) -> None:
    register(database, *(node_key(name) for name in "abc"))

    database.write(lambda uow: uow.deliveries.open_many([an_opening("o1", listed("c", "a", "b"))]))

    assert node_ids(database) == ["c", "a", "b"]


def test_a_fleet_of_thousands_is_opened_at_once(database: Database) -> None:
    register(database, *(node_key(f"n{number:04}") for number in range(2500)))

    database.write(lambda uow: uow.deliveries.open_many([an_opening("o1", everyone())]))

    assert len(deliveries(database)) == 2500


@pytest.mark.parametrize("audience", [everyone(), nodes_of_type(), listed(*"ghabcdef")], ids=lambda a: a.kind)
def test_a_fan_out_goes_on_page_by_page_in_key_order(database: Database, audience: Audience) -> None:
    register(database, *(node_key(name) for name in "abcdefgh"))
    after: NodeKey | None = None
    pages = []

    while after := open_page(database, a_fan_out("o1", audience, after=after), limit=3):
        pages.append((after.id, len(deliveries(database))))

    assert pages == [("c", 3), ("f", 6), ("h", 8)]
    assert deliveries(database) == [
        opening(object_key("o1"), node_key(name), INSTANCE, True, NOW_MS) for name in "abcdefgh"
    ]


def test_key_order_of_a_fan_out_is_by_type_first_and_in_bytes(database: Database) -> None:
    in_order = [node_key("z", "A"), node_key("a", "a"), node_key("é", "a"), node_key("日", "a"), node_key("a", "é")]
    register(database, *reversed(in_order))
    after: NodeKey | None = None
    visited = []

    while after := open_page(database, a_fan_out("o1", everyone(), after=after), limit=1):
        visited.append(after)

    assert visited == in_order


def test_a_fan_out_that_waits_opens_waiting_deliveries(database: Database) -> None:
    register(database, node_key("n1"))

    open_page(database, a_fan_out("o1", is_deliverable=False), limit=3)

    assert deliveries(database) == [opening(object_key("o1"), node_key("n1"), INSTANCE, False, NOW_MS)]


@pytest.mark.parametrize("state", DeliveryState)
def test_a_fan_out_leaves_deliveries_of_its_instance_as_they_are_and_replaces_older_ones(
    database: Database, state: DeliveryState
) -> None:
    register(database, node_key("n1"), node_key("n2"))
    current = a_delivery("o1", "n1", state, attempts=2, message="disk full")
    older = a_delivery("o1", "n2", state, instance=INSTANCE - 1, attempts=2, message="disk full")
    given(database, current, older)

    last = open_page(database, a_fan_out("o1"), limit=5)

    assert last == node_key("n2")
    assert deliveries(database) == [current, opening(object_key("o1"), node_key("n2"), INSTANCE, True, NOW_MS)]


def test_a_page_without_anything_to_open_is_no_end(database: Database) -> None:
    register(database, node_key("a"), node_key("b"), node_key("c"))
    given(database, a_delivery("o1", "a"), a_delivery("o1", "b"))

    assert open_page(database, a_fan_out("o1"), limit=2) == node_key("b")
    assert open_page(database, a_fan_out("o1", after=node_key("b")), limit=2) == node_key("c")
    assert open_page(database, a_fan_out("o1", after=node_key("c")), limit=2) is None


def test_a_node_that_registers_gets_what_is_addressed_to_it(database: Database) -> None:
    node = node_key("n1")
    register(database, node)
    given(
        database,
        an_object("to-all"),
        an_object("to-type", destination_type="edge"),
        an_object("to-it", destination_type="edge", destination_id="n1"),
        an_object("to-list", destinations_list=["camera:c1", "edge:n1"]),
        an_object("to-empty-list", destinations_list=[]),
        an_object("to-other-type", destination_type="camera"),
        an_object("to-other-node", destination_type="edge", destination_id="n10"),
        an_object("to-same-id-elsewhere", destination_type="camera", destination_id="n1"),
        an_object("to-other-list", destinations_list=["edge:n2"]),
        an_object(object_key("to-other-org", org="other")),
    )

    database.write(lambda uow: uow.deliveries.open_for_node(node, NOW_MS + 7))

    opened = database.read(lambda uow: uow.deliveries.list_of_node(node))
    assert opened == [
        opening(object_key(name), node, INSTANCE, True, NOW_MS + 7)
        for name in ("to-all", "to-empty-list", "to-it", "to-list", "to-type")
    ]


@pytest.mark.parametrize("status", ObjectStatus)
def test_only_objects_on_offer_go_to_a_node_that_registers(database: Database, status: ObjectStatus) -> None:
    given(database, an_object("o1", status))

    database.write(lambda uow: uow.deliveries.open_for_node(node_key("n1"), NOW_MS))

    states = [delivery.state for delivery in deliveries(database)]
    assert states == {
        ObjectStatus.READY: [DeliveryState.PENDING],
        ObjectStatus.NOT_READY: [DeliveryState.WAITING],
        ObjectStatus.VERIFYING: [DeliveryState.WAITING],
        ObjectStatus.VERIFICATION_FAILED: [DeliveryState.WAITING],
    }.get(status, [])


def test_an_inactive_object_waits_for_its_activation(database: Database) -> None:
    given(database, an_object("o1", inactive=True))

    database.write(lambda uow: uow.deliveries.open_for_node(node_key("n1"), NOW_MS))

    assert [delivery.state for delivery in deliveries(database)] == [DeliveryState.WAITING]


def test_copies_of_other_nodes_objects_are_not_sent_to_a_node_that_registers(database: Database) -> None:
    given(database, an_object("o1", is_own=False))

    database.write(lambda uow: uow.deliveries.open_for_node(node_key("n1"), NOW_MS))

    assert deliveries(database) == []


def test_policy_objects_are_not_sent_to_a_node_that_registers(database: Database) -> None:
    given(database, an_object("o1", destination_policy=Policy()))

    database.write(lambda uow: uow.deliveries.open_for_node(node_key("n1"), NOW_MS))

    assert deliveries(database) == []


@pytest.mark.parametrize("state", DeliveryState)
def test_registering_again_leaves_existing_deliveries_as_they_are(database: Database, state: DeliveryState) -> None:
    existing = a_delivery("o1", "n1", state, instance=INSTANCE - 1, attempts=4)
    given(database, an_object("o1"), existing)

    database.write(lambda uow: uow.deliveries.open_for_node(node_key("n1"), NOW_MS + 7))

    assert deliveries(database) == [existing]


def test_a_store_may_be_told_whom_its_objects_are_for(place: Place, clock: ManualClock) -> None:
    cloud = cloud_of("acme")
    database = place.open(on_commit=lambda _: None, clock=clock, audience_of=lambda _: only(cloud))
    given(database, an_object("o1", destination_type="edge"))

    database.write(lambda uow: uow.deliveries.open_for_node(node_key("n1"), NOW_MS))
    database.write(lambda uow: uow.deliveries.open_for_node(cloud, NOW_MS))

    assert [delivery.node for delivery in deliveries(database)] == [cloud]
    database.close()


def test_a_node_that_registers_becomes_the_last_destination(database: Database) -> None:
    given(database, an_object("o1"), a_delivery("o1", "z"), a_delivery("o1", "y"))

    database.write(lambda uow: uow.deliveries.open_for_node(node_key("a"), NOW_MS))

    assert node_ids(database) == ["z", "y", "a"]


def test_a_fan_out_is_found_as_it_was_added(database: Database) -> None:
    for fan_out in (
        a_fan_out("o1", everyone()),
        a_fan_out("o2", nodes_of_type(), is_deliverable=False),
        a_fan_out("o3", only("n1")),
        a_fan_out("o4", listed("n2", "n1"), after=node_key("n1")),
    ):
        given(database, fan_out)

        assert database.read(lambda uow: uow.fan_outs.find(fan_out.object)) == fan_out  # noqa: B023


def test_there_is_one_fan_out_for_an_object(database: Database) -> None:
    given(database, a_fan_out("o1", after=node_key("n7")))
    newer = a_fan_out("o1", nodes_of_type(), instance=INSTANCE + 1)
    given(database, newer)

    assert database.read(lambda uow: uow.fan_outs.find(object_key("o1"))) == newer
    assert taken(database) == ["o1"]


def test_the_oldest_fan_out_is_next_until_it_is_removed(database: Database) -> None:
    given(database, a_fan_out("c"))
    given(database, a_fan_out("a"))
    given(database, a_fan_out("b"))

    assert taken(database) == ["c", "a", "b"]


def taken(database: Database) -> list[str]:
    """All fan-outs as they come, each removed after that."""

    def take() -> FanOut | None:
        fan_out = database.write(lambda uow: uow.fan_outs.next())
        if fan_out:
            database.write(lambda uow: uow.fan_outs.remove(fan_out.object))
        return fan_out

    return [fan_out.object.id for fan_out in iter(take, None)]


def test_an_advanced_fan_out_goes_on_after_that_node(database: Database) -> None:
    given(database, a_fan_out("o1"), a_fan_out("o2"))

    database.write(lambda uow: uow.fan_outs.advance(object_key("o1"), node_key("n5")))

    assert database.write(lambda uow: uow.fan_outs.next()) == a_fan_out("o1", after=node_key("n5"))
    assert database.read(lambda uow: uow.fan_outs.find(object_key("o2"))) == a_fan_out("o2")


@pytest.mark.parametrize(
    "act",
    [
        lambda uow: uow.fan_outs.advance(object_key("o1"), node_key("n5")),
        lambda uow: uow.fan_outs.remove(object_key("o1")),
    ],
    ids=["advance", "remove"],
)
def test_a_fan_out_that_was_removed_meanwhile_stays_removed(database: Database, act: Callable[[object], None]) -> None:
    database.write(act)

    assert database.read(lambda uow: uow.fan_outs.find(object_key("o1"))) is None
    assert database.write(lambda uow: uow.fan_outs.next()) is None
