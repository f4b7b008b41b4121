"""What every store of groups, labels, reviews and placement promises, and the outbox seen from groups."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from common.domain.delivery import Delivery, DeliveryState, opening
from common.domain.ids import NodeKey
from common.domain.labels import LabelSource
from common.domain.metadata import Policy
from common.domain.objects import SENDING, ObjectStatus
from common.sync.groups import Group, PlacementEngine, Review, ReviewKind
from common.sync.ports import Database, UnitOfWork
from tests.support.builders import (
    INSTANCE,
    ORG,
    a_delivery,
    a_fan_out,
    a_node,
    an_object,
    an_opening,
    members_of,
    node_key,
    object_key,
)
from tests.support.manual_clock import NOW_MS
from tests.support.store_places import Place, given

N1, N2, C1, STRANGER = node_key("n1"), node_key("n2"), node_key("c1", "camera"), node_key("n1", org="other")
TO_LAB: dict[str, Any] = {"destination_type": "@group", "destination_id": "lab"}


def join(database: Database, *nodes: NodeKey, name: str = "lab") -> None:
    for node in nodes:
        database.write(lambda uow: uow.groups.add_members(node.org, name, [node]))  # noqa: B023


def delivery(database: Database, object_id: str = "o1", node: NodeKey = N1) -> Delivery | None:
    found = database.read(lambda uow: uow.deliveries.list_of_object(object_key(object_id)))
    return next((each for each in found if each.node == node), None)


def test_labels_are_kept_by_node_and_source(database: Database) -> None:
    def label(uow: UnitOfWork) -> None:
        uow.labels.replace(N1, LabelSource.REGISTRATION, {"site": "lab", "cpu": "4"})
        uow.labels.replace(N1, LabelSource.ADMIN, {"site": "hall 7"})
        uow.labels.replace(N2, LabelSource.ADMIN, {"emptied": "soon"})
        uow.labels.replace(N2, LabelSource.ADMIN, {})
        uow.labels.replace(STRANGER, LabelSource.ADMIN, {"site": "elsewhere"})

    database.write(label)

    assert database.read(lambda uow: uow.labels.of_node(N1)) == {
        LabelSource.REGISTRATION: {"site": "lab", "cpu": "4"},
        LabelSource.ADMIN: {"site": "hall 7"},
    }
    assert database.read(lambda uow: uow.labels.of_node(N2)) == {}
    assert database.read(lambda uow: uow.labels.of_nodes([N1, N2])) == {N1: {"site": "hall 7", "cpu": "4"}, N2: {}}


def test_labels_that_are_replaced_are_gone(database: Database) -> None:
    database.write(lambda uow: uow.labels.replace(N1, LabelSource.ADMIN, {"a": "1", "b": "1"}))
    database.write(lambda uow: uow.labels.replace(N1, LabelSource.ADMIN, {"b": "2", "c": "ü"}))

    assert database.read(lambda uow: uow.labels.of_nodes([N1])) == {N1: {"b": "2", "c": "ü"}}


def test_groups_are_found_by_name_and_listed_in_order(database: Database) -> None:
    groups = [Group(ORG, "b", "site == lab"), Group(ORG, "a"), Group("other", "b")]
    for group in groups:
        database.write(lambda uow: uow.groups.save(group, []))  # noqa: B023

    assert database.read(lambda uow: uow.groups.find(ORG, "b")) == groups[0]
    assert database.read(lambda uow: uow.groups.find(ORG, "c")) is None
    assert database.read(lambda uow: uow.groups.list_of_org(ORG)) == [groups[1], groups[0]]


def test_a_group_lists_nodes_until_it_is_defined_otherwise(database: Database) -> None:
    database.write(lambda uow: uow.groups.save(Group(ORG, "lab"), [N2, C1]))
    assert database.read(lambda uow: uow.groups.listed(ORG, "lab")) == [C1, N2]
    assert database.read(lambda uow: uow.groups.listed_among(ORG, "lab", [N1, N2])) == {N2}
    assert database.read(lambda uow: uow.groups.listing(C1)) == {"lab"}

    database.write(lambda uow: uow.groups.save(Group(ORG, "lab"), [N1]))
    assert database.read(lambda uow: uow.groups.listed(ORG, "lab")) == [N1]
    assert database.read(lambda uow: uow.groups.listing(C1)) == set()

    database.write(lambda uow: uow.groups.save(Group(ORG, "lab", "has(site)"), []))
    assert database.read(lambda uow: uow.groups.listed(ORG, "lab")) == []


def test_members_stay_until_they_are_removed(database: Database) -> None:
    database.write(lambda uow: uow.groups.save(Group(ORG, "lab"), [N1]))
    join(database, N1, N1, N2, C1, STRANGER)
    join(database, N1, name="hall")

    database.write(lambda uow: uow.groups.remove(ORG, "lab"))

    assert database.read(lambda uow: uow.groups.find(ORG, "lab")) is None
    assert database.read(lambda uow: uow.groups.listed(ORG, "lab")) == []
    assert database.read(lambda uow: uow.groups.count_members(ORG, "lab")) == 3
    assert database.read(lambda uow: uow.groups.of_node(N1)) == {"lab", "hall"}
    database.write(lambda uow: uow.groups.remove_members(ORG, "lab", [N1, C1, node_key("nobody")]))
    assert database.read(lambda uow: uow.groups.members(ORG, "lab", after=None, limit=None)) == [N2]
    assert database.read(lambda uow: uow.groups.of_node(N1)) == {"hall"}
    assert database.read(lambda uow: uow.groups.of_node(STRANGER)) == {"lab"}


def test_members_come_in_pages(database: Database) -> None:
    join(database, N2, N1, C1)

    first = database.read(lambda uow: uow.groups.members(ORG, "lab", after=None, limit=2))
    second = database.read(lambda uow: uow.groups.members(ORG, "lab", after=first[-1], limit=2))

    assert (first, second) == ([C1, N1], [N2])
    assert database.read(lambda uow: uow.groups.members_among(ORG, "lab", [N1, node_key("n9")])) == {N1}


def test_nodes_of_an_organization_come_in_pages(database: Database) -> None:
    given(database, *map(a_node, (N2, N1, C1, STRANGER)))

    first = database.read(lambda uow: uow.nodes.keys_of_org(ORG, after=("", ""), limit=2))
    second = database.read(lambda uow: uow.nodes.keys_of_org(ORG, after=first[-1][1:], limit=2))

    assert (first, second) == ([C1, N1], [N2])


def test_reviews_wait_in_the_order_in_which_they_came(database: Database) -> None:
    of_group = Review(ReviewKind.GROUP, ORG, id="lab")
    of_object = Review(ReviewKind.OBJECT, ORG, "model", "o1")
    database.write(lambda uow: uow.reviews.save(of_group))
    database.write(lambda uow: uow.reviews.save(of_object))
    further = Review(ReviewKind.GROUP, ORG, id="lab", after=("edge", "n1"))
    database.write(lambda uow: uow.reviews.save(further))

    assert database.read(lambda uow: uow.reviews.first()) == further
    assert database.read(lambda uow: uow.reviews.find(of_group)) == further
    database.write(lambda uow: uow.reviews.remove(of_group))
    assert database.read(lambda uow: uow.reviews.first()) == of_object
    assert database.read(lambda uow: uow.reviews.find(of_group)) is None
    database.write(lambda uow: uow.reviews.remove(of_object))
    assert database.read(lambda uow: uow.reviews.first()) is None


def test_an_outside_engine_places_objects_until_another_one_is_chosen(database: Database) -> None:
    assert database.read(lambda uow: uow.placements.engine_of(ORG)) is PlacementEngine.OUTSIDE

    for engine in (PlacementEngine.BUILTIN, PlacementEngine.OUTSIDE, PlacementEngine.BUILTIN):
        database.write(lambda uow: uow.placements.choose(ORG, engine))  # noqa: B023
        assert database.read(lambda uow: uow.placements.engine_of(ORG)) is engine
    assert database.read(lambda uow: uow.placements.engine_of("other")) is PlacementEngine.OUTSIDE


def test_policy_objects_on_offer_come_in_pages(database: Database) -> None:
    policy = Policy(constraints=["site == lab"])
    given(
        database,
        an_object("o2", destination_policy=policy),
        an_object("o1", ObjectStatus.NOT_READY, destination_policy=policy),
        an_object(object_key("o0", "zone"), destination_policy=policy),
        an_object("deleted", ObjectStatus.DELETED, destination_policy=policy),
        an_object("received", is_own=False, destination_policy=policy),
        an_object("for-all"),
        an_object(object_key("o1", org="other"), destination_policy=policy),
    )

    first = database.read(lambda uow: uow.placements.policy_objects(ORG, after=("", ""), limit=2))
    second = database.read(lambda uow: uow.placements.policy_objects(ORG, after=first[-1].key[1:], limit=2))

    assert [item.key.id for item in first] == ["o1", "o2"]
    assert [item.key for item in second] == [object_key("o0", "zone")]
    assert first[0].meta.destination_policy == policy


def test_an_object_opens_to_members_and_nobody_else(database: Database) -> None:
    join(database, N1, C1, STRANGER)
    join(database, N2, name="hall")

    database.write(lambda uow: uow.deliveries.open_many([an_opening("o1", members_of("lab"))]))

    opened = database.read(lambda uow: uow.deliveries.list_of_object(object_key()))
    assert opened == [opening(object_key(), node, INSTANCE, True, NOW_MS) for node in (C1, N1)]


def test_an_object_opens_to_a_large_group_page_by_page(database: Database) -> None:
    join(database, N1, N2, C1)
    given(database, a_delivery("o1", N2, DeliveryState.CONSUMED), a_delivery("o1", C1, instance=INSTANCE - 1))
    pages = []
    after = None
    while True:
        fan_out = a_fan_out("o1", members_of("lab"), after=after)
        after = database.write(lambda uow: uow.deliveries.open_page(fan_out, NOW_MS, 2))  # noqa: B023
        if after is None:
            break
        pages.append(after)

    assert pages == [N1, N2]
    states = {each: (found := delivery(database, node=each)) and found.state for each in (N1, N2, C1)}
    assert states == {N1: DeliveryState.PENDING, N2: DeliveryState.CONSUMED, C1: DeliveryState.PENDING}


def test_a_fan_out_to_a_group_is_kept_as_it_is(database: Database) -> None:
    fan_out = a_fan_out("o1", members_of("lab"))
    given(database, fan_out)

    assert database.read(lambda uow: uow.fan_outs.find(object_key())) == fan_out


def test_who_is_no_member_of_the_new_audience_is_withdrawn(database: Database) -> None:
    join(database, N1)
    given(
        database,
        a_delivery("o1", N1, DeliveryState.DELIVERED, was_sent=True),
        a_delivery("o1", N2, DeliveryState.DELIVERED, was_sent=True),
        a_delivery("o1", C1),
    )

    database.write(lambda uow: uow.deliveries.withdraw_unaddressed(object_key(), members_of("lab"), NOW_MS))

    found = database.read(lambda uow: uow.deliveries.list_of_object(object_key()))
    assert [(each.node, each.state) for each in found] == [
        (N1, DeliveryState.DELIVERED),
        (N2, DeliveryState.DELETING),
    ]


@pytest.mark.parametrize("status", ObjectStatus)
def test_who_joins_gets_what_is_on_offer(database: Database, status: ObjectStatus) -> None:
    given(database, an_object("o1", status, **TO_LAB))

    database.write(lambda uow: uow.group_deliveries.open_for_members(ORG, "lab", [N1, C1], NOW_MS))

    is_ready = status is ObjectStatus.READY
    expected = opening(object_key(), N1, INSTANCE, is_ready, NOW_MS) if status in SENDING else None
    assert delivery(database) == expected
    assert (delivery(database, node=C1) is None) is (expected is None)


def test_who_joins_gets_nothing_that_is_for_others(database: Database) -> None:
    given(
        database,
        an_object("hall", destination_type="@group", destination_id="hall"),
        an_object("node", destination_type="lab", destination_id="lab"),
        an_object("received", is_own=False, **TO_LAB),
        an_object(object_key("o1", org="other"), **TO_LAB),
    )

    database.write(lambda uow: uow.group_deliveries.open_for_members(ORG, "lab", [N1], NOW_MS))

    assert database.read(lambda uow: uow.deliveries.list_of_node(N1)) == []


@pytest.mark.parametrize("state", DeliveryState)
def test_who_joins_again_gets_what_it_is_being_told_to_drop_and_keeps_the_rest(
    database: Database, state: DeliveryState
) -> None:
    given(database, an_object("o1", **TO_LAB), a_delivery("o1", N1, state, attempts=3, was_sent=True))
    before = delivery(database)

    database.write(lambda uow: uow.group_deliveries.open_for_members(ORG, "lab", [N1], NOW_MS))

    after = delivery(database)
    if state in (DeliveryState.DELETING, DeliveryState.DELETED):
        assert after == a_delivery("o1", N1, DeliveryState.PENDING, was_sent=True)
    else:
        assert after == before


@pytest.mark.parametrize("was_sent", [True, False])
@pytest.mark.parametrize("state", DeliveryState)
def test_who_leaves_is_told_of_what_it_may_have_and_of_nothing_else(
    database: Database, state: DeliveryState, was_sent: bool
) -> None:
    given(database, an_object("o1", **TO_LAB), a_delivery("o1", N1, state, attempts=3, was_sent=was_sent))
    before = delivery(database)

    database.write(lambda uow: uow.group_deliveries.withdraw_from(ORG, "lab", [N1, C1], NOW_MS + 5))

    after = delivery(database)
    if state is DeliveryState.DELETED or not was_sent:
        assert after is None
    elif state is DeliveryState.DELETING:
        assert after == before
    else:
        assert after is not None
        assert (after.state, after.due_at_ms, after.attempts) == (DeliveryState.DELETING, NOW_MS + 5, 0)


def test_who_leaves_keeps_what_is_for_it_otherwise(database: Database) -> None:
    kept = {
        "hall": an_object("hall", destination_type="@group", destination_id="hall"),
        "all": an_object("all"),
        "deleted": an_object("deleted", ObjectStatus.DELETED, **TO_LAB),
    }
    given(database, *kept.values(), *(a_delivery(name, N1, DeliveryState.DELIVERED, was_sent=True) for name in kept))

    database.write(lambda uow: uow.group_deliveries.withdraw_from(ORG, "lab", [N1], NOW_MS))

    states = {each.object.id: each.state for each in database.read(lambda uow: uow.deliveries.list_of_node(N1))}
    assert states == dict.fromkeys(kept, DeliveryState.DELIVERED)


@pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
def test_a_withdrawal_waits_for_a_fan_out_under_way(
    database: Database, open_database: Callable[[], Database], place: Place
) -> None:
    """Or the page could open a delivery to a node that has just left."""
    replica = open_database()
    given(database, an_object("o1", **TO_LAB), a_fan_out("o1", members_of("lab")))
    join(database, N1)
    page_opened, left = threading.Event(), threading.Event()

    def open_slowly(uow: UnitOfWork) -> None:
        fan_out = uow.fan_outs.next()
        assert fan_out is not None
        uow.deliveries.open_page(fan_out, NOW_MS, 10)
        page_opened.set()
        assert not left.wait(0.3)

    def leave(uow: UnitOfWork) -> None:
        uow.groups.remove_members(ORG, "lab", [N1])
        uow.group_deliveries.withdraw_from(ORG, "lab", [N1], NOW_MS)

    with ThreadPoolExecutor() as threads:
        opening_ = threads.submit(database.write, open_slowly)
        assert page_opened.wait(10)
        leaving = threads.submit(replica.write, leave)
        leaving.add_done_callback(lambda _: left.set())
        opening_.result()
        leaving.result()

    assert delivery(database) is None
