"""What every DeliveryStore promises about destinations changed by hand, activation, expiration and resending."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from common.domain.addressing import Audience, AudienceKind
from common.domain.delivery import DeliveryState
from common.domain.ids import NodeKey
from common.domain.instants import format_instant
from common.domain.objects import ObjectStatus, SyncObject
from common.sync.ports import Database
from common.sync.records import FanOut, Opening
from tests.support.builders import (
    INSTANCE,
    a_delivery,
    an_object,
    node_key,
    object_key,
)
from tests.support.manual_clock import NOW_MS
from tests.support.store_places import given

KEY = object_key("o1")
PLACED = Audience(KEY.org, AudienceKind.PLACED)
NO_MORE = (DeliveryState.DELETING, DeliveryState.DELETED)


def states(database: Database) -> dict[str, DeliveryState]:
    return {d.node.id: d.state for d in database.read(lambda uow: uow.deliveries.list_of_object(KEY))}


def given_deliveries(database: Database, *states_: DeliveryState) -> None:
    given(database, an_object("o1"))
    deliveries = [a_delivery("o1", f"n{number}", state) for number, state in enumerate(states_)]
    database.write(lambda uow: uow.deliveries.save_many(deliveries))


def open_page(database: Database, fan_out: FanOut) -> NodeKey | None:
    return database.write(lambda uow: uow.deliveries.open_page(fan_out, NOW_MS, 3))


@pytest.mark.parametrize("is_paged", [False, True], ids=["at once", "by pages"])
def test_a_new_instance_for_those_placed_reaches_each_but_those_it_is_withdrawn_from(
    database: Database, *, is_paged: bool
) -> None:
    given_deliveries(database, *DeliveryState)

    if is_paged:
        fan_out = FanOut(KEY, INSTANCE + 5, PLACED, is_deliverable=True)
        while (last := open_page(database, fan_out)) is not None:
            fan_out = replace(fan_out, after=last)
    else:
        opening = Opening(KEY, INSTANCE + 5, PLACED, is_deliverable=True, now_ms=NOW_MS)
        database.write(lambda uow: uow.deliveries.open_many([opening]))

    after = database.read(lambda uow: uow.deliveries.list_of_object(KEY))
    assert [d.state for d in after] == [s if s in NO_MORE else DeliveryState.PENDING for s in DeliveryState]
    renewed = [d for d in after if d.state not in NO_MORE]
    assert {(d.instance, d.due_at_ms, d.attempts, d.message) for d in renewed} == {(INSTANCE + 5, NOW_MS, 0, "")}


def test_withdrawn_nodes_are_told_if_they_may_hold_a_copy_and_forgotten_otherwise(database: Database) -> None:
    given(database, an_object("o1"))
    sent = [replace(a_delivery("o1", name, DeliveryState.DELIVERED), was_sent=True) for name in ("n1", "n2")]
    unsent = replace(a_delivery("o1", "n3", DeliveryState.PENDING), was_sent=False)
    database.write(lambda uow: uow.deliveries.save_many([*sent, unsent]))

    gone = [node_key("n1"), node_key("n3"), node_key("never")]
    database.write(lambda uow: uow.deliveries.withdraw_nodes(KEY, gone, NOW_MS + 1))

    assert states(database) == {"n1": DeliveryState.DELETING, "n2": DeliveryState.DELIVERED}
    assert database.read(lambda uow: uow.deliveries.next_due_at(node_key("n1"))) == NOW_MS + 1


def test_release_lets_go_exactly_what_waits(database: Database) -> None:
    given_deliveries(database, *DeliveryState)

    database.write(lambda uow: uow.deliveries.release(KEY, NOW_MS + 7))

    expected = [DeliveryState.PENDING if s is DeliveryState.WAITING else s for s in DeliveryState]
    after = database.read(lambda uow: uow.deliveries.list_of_object(KEY))
    assert [d.state for d in after] == expected
    assert after[0].due_at_ms == NOW_MS + 7


@pytest.mark.parametrize("count", [0, 1, 3])
def test_has_more_than_counts_the_deliveries_of_one_object(database: Database, count: int) -> None:
    given_deliveries(database, *[DeliveryState.PENDING] * count)

    for asked in range(5):
        has_more = database.read(lambda uow, n=asked: uow.deliveries.has_more_than(KEY, n))  # type: ignore[misc]
        assert has_more == (count > asked)


def test_remove_settled_leaves_only_what_is_being_withdrawn(database: Database) -> None:
    given_deliveries(database, *DeliveryState)

    left = database.write(lambda uow: uow.deliveries.remove_settled(KEY))

    assert left == 1
    assert list(states(database).values()) == [DeliveryState.DELETING]


def test_a_node_that_wants_everything_again_gets_what_may_be_sent(database: Database) -> None:
    given(database, an_object("o1"), an_object("unready", ObjectStatus.NOT_READY))
    for number, state in enumerate(DeliveryState):
        name = f"object{number}"
        given(database, an_object(name))
        delivery = a_delivery(name, "n1", state)
        database.write(lambda uow, delivery=delivery: uow.deliveries.save_many([delivery]))  # type: ignore[misc]
    database.write(lambda uow: uow.deliveries.save_many([a_delivery("unready", "n1", DeliveryState.WAITING)]))
    database.write(lambda uow: uow.deliveries.save_many([a_delivery("object0", "n2", DeliveryState.CONSUMED)]))

    database.write(lambda uow: uow.deliveries.resend_to_node(node_key("n1"), NOW_MS + 3))

    of_node = {d.object.id: d for d in database.read(lambda uow: uow.deliveries.list_of_node(node_key("n1")))}
    for number, state in enumerate(DeliveryState):
        expected = state if state in NO_MORE else DeliveryState.PENDING
        assert of_node[f"object{number}"].state is expected
    assert of_node["unready"].state is DeliveryState.WAITING
    others = database.read(lambda uow: uow.deliveries.list_of_node(node_key("n2")))
    assert [d.state for d in others] == [DeliveryState.CONSUMED]


def timed(object_id: str, status: ObjectStatus = ObjectStatus.READY, **meta: object) -> SyncObject:
    item = an_object(object_id, status)
    return replace(item, meta=msgspec.structs.replace(item.meta, **meta))


def test_expired_objects_are_listed_earliest_first_and_only_those_still_to_send(database: Database) -> None:
    past, later = format_instant(NOW_MS - 5_000), format_instant(NOW_MS + 60_000)
    given(
        database,
        timed("just", expiration=format_instant(NOW_MS - 1_000)),
        timed("long", ObjectStatus.NOT_READY, expiration=past),
        timed("offset", expiration=format_instant(NOW_MS - 3_000).replace("Z", "+00:00")),
        timed("gone", ObjectStatus.DELETED, expiration=past),
        timed("later", expiration=later),
        replace(timed("copy", ObjectStatus.COMPLETELY_RECEIVED, expiration=past), is_own=False),
        an_object("never"),
    )

    assert [k.id for k in database.read(lambda uow: uow.objects.list_expired(NOW_MS, 10))] == ["long", "offset", "just"]
    assert [k.id for k in database.read(lambda uow: uow.objects.list_expired(NOW_MS, 1))] == ["long"]
    assert database.read(lambda uow: uow.objects.next_expiration_at()) <= NOW_MS - 4_000  # type: ignore[operator]


def test_objects_to_activate_are_own_inactive_ones_whose_time_has_come(database: Database) -> None:
    past = format_instant(NOW_MS - 5_000)
    given(
        database,
        timed("due", inactive=True, activation_time=past),
        timed("active", inactive=False, activation_time=past),
        timed("by hand", inactive=True),
        timed("gone", ObjectStatus.DELETED, inactive=True, activation_time=past),
        timed("used up", ObjectStatus.CONSUMED_BY_DESTINATION, inactive=True, activation_time=past),
        timed("later", inactive=True, activation_time=format_instant(NOW_MS + 60_000)),
    )

    assert [k.id for k in database.read(lambda uow: uow.objects.list_to_activate(NOW_MS, 10))] == ["due"]
    database.write(lambda uow: uow.objects.remove(object_key("due")))
    assert NOW_MS < (database.read(lambda uow: uow.objects.next_activation_at()) or 0) <= NOW_MS + 60_000


def test_what_was_changed_by_hand_is_remembered_with_the_object(database: Database) -> None:
    given(database, replace(an_object("o1"), is_placed=True, is_policy_received=True))

    stored = database.read(lambda uow: uow.objects.get(KEY))

    assert (stored.is_placed, stored.is_policy_received) == (True, True)


def test_counters_are_zero_until_set(database: Database) -> None:
    assert database.read(lambda uow: uow.counters.get("anything")) == 0
    database.write(lambda uow: uow.counters.set("anything", 3))
    database.write(lambda uow: uow.counters.set("anything", 1))
    assert database.read(lambda uow: uow.counters.get("anything")) == 1
