"""What every DeliveryStore promises about the outbox and its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.domain.addressing import Audience
from common.domain.delivery import (
    OPEN_STATES,
    Delivery,
    DeliveryState,
    PeerLostIt,
    PeerReconnected,
    Withdrawn,
    step,
)
from common.domain.ids import NodeKey, ObjectKey
from common.domain.objects import ObjectStatus
from common.domain.retry import ANNOUNCED_RETRY
from common.sync.ports import Database
from tests.support.builders import (
    INSTANCE,
    a_delivery,
    a_node,
    a_payload,
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
from tests.support.manual_clock import NOW_MS
from tests.support.store_places import given

NODE = node_key("n1")
HOUR_MS = 3_600_000
CLOSED_STATES = sorted(set(DeliveryState) - OPEN_STATES)


def find(database: Database, object_id: str = "o1", node: NodeKey = NODE) -> Delivery | None:
    ids = [(object_key(object_id), node)]
    return database.write(lambda uow: uow.deliveries.find_many(ids)).get(ids[0])


def claimed(database: Database, node: NodeKey = NODE, *, now_ms: int = NOW_MS, limit: int = 100) -> list[str]:
    """Ids of the objects in the order of the claim; nothing is saved, so that they are due again."""
    pairs = database.write(lambda uow: uow.deliveries.claim_due(node, now_ms, limit))
    assert all(delivery.object == item.key for delivery, item in pairs)
    return [item.key.id for _, item in pairs]


@pytest.mark.parametrize("state", DeliveryState)
def test_a_delivery_is_found_as_it_was_saved(database: Database, state: DeliveryState) -> None:
    saved = a_delivery("o1", "n1", state, attempts=7, message="Ünïcödé: 'full' 🙂")
    given(database, saved)

    assert find(database) == saved


def test_saving_again_replaces(database: Database) -> None:
    given(database, a_delivery("o1", "n1", DeliveryState.FAILED, attempts=9, message="disk full"))
    fresh = a_delivery("o1", "n1", DeliveryState.DELIVERED, instance=INSTANCE + 1)
    given(database, fresh)

    assert find(database) == fresh


def test_find_many_returns_those_that_exist(database: Database) -> None:
    saved = {
        (each.object, each.node): each
        for each in (a_delivery("o1", "n1"), a_delivery("o1", "n2"), a_delivery("o2", "n1"))
    }
    given(database, *saved.values())

    wanted = [(object_key("o2"), node_key("n1")), (object_key("o2"), node_key("n2")), (object_key("o1"), NODE)]
    found = database.write(lambda uow: uow.deliveries.find_many(wanted))

    assert found == {wanted[0]: saved[wanted[0]], wanted[2]: saved[wanted[2]]}
    assert database.write(lambda uow: uow.deliveries.find_many([])) == {}


def test_save_many_of_nothing_changes_nothing(database: Database) -> None:
    database.write(lambda uow: uow.deliveries.save_many([]))

    assert find(database) is None


def test_hundreds_of_deliveries_are_saved_and_found_together(database: Database) -> None:
    saved = {
        (each.object, each.node): each
        for each in (a_delivery(f"o{number}", f"n{number % 7}", attempts=number) for number in range(600))
    }

    database.write(lambda uow: uow.deliveries.save_many(list(saved.values())))

    assert database.write(lambda uow: uow.deliveries.find_many(list(saved))) == saved


def test_destinations_are_listed_in_the_order_they_were_added(database: Database) -> None:
    given(database, a_delivery("o1", "m"), a_delivery("o2", "a"), a_delivery("o1", "z"), a_delivery("o1", "b"))
    given(database, a_delivery("o1", "z", DeliveryState.DELIVERED))

    listed_ = database.read(lambda uow: uow.deliveries.list_of_object(object_key("o1")))

    assert [delivery.node.id for delivery in listed_] == ["m", "z", "b"]


def test_deliveries_of_a_node_are_listed_in_key_order(database: Database) -> None:
    keys = [object_key(name, kind) for kind, name in (("A", "z"), ("a", "Z"), ("a", "a"), ("a", "é"), ("b", "a"))]
    given(database, *(a_delivery(key, "n1") for key in reversed(keys)), a_delivery("o1", "n2"))

    listed_ = database.read(lambda uow: uow.deliveries.list_of_node(NODE))

    assert [delivery.object for delivery in listed_] == keys


def test_keys_that_join_alike_are_different_deliveries(database: Database) -> None:
    one = a_delivery(ObjectKey("a-b", "c", "d"), NodeKey("a-b", "e-f", "g"), attempts=1)
    other = a_delivery(ObjectKey("a-b", "c", "d"), NodeKey("a-b", "e", "f-g"), attempts=2)
    third = a_delivery(ObjectKey("a", "b-c", "d"), NodeKey("a", "e-f", "g"), attempts=3)
    given(database, one, other, third)

    assert database.read(lambda uow: uow.deliveries.list_of_object(one.object)) == [one, other]
    assert database.read(lambda uow: uow.deliveries.list_of_node(third.node)) == [third]


def test_a_claim_brings_the_delivery_and_its_object(database: Database) -> None:
    delivery, item = a_delivery("o1", "n1"), an_object("o1", payload=a_payload(), description="text")
    given(database, item, delivery)

    assert database.write(lambda uow: uow.deliveries.claim_due(NODE, NOW_MS, limit=10)) == [(delivery, item)]


def test_what_is_due_is_claimed_oldest_first(database: Database) -> None:
    due_at = {"a": NOW_MS, "b": NOW_MS - 2, "c": NOW_MS - 1, "d": NOW_MS + 1}
    for name, due_at_ms in due_at.items():
        given(database, an_object(name), a_delivery(name, "n1", due_at_ms=due_at_ms))

    assert claimed(database) == ["b", "c", "a"]
    assert claimed(database, limit=2) == ["b", "c"]
    assert claimed(database, now_ms=NOW_MS - 3) == []
    assert claimed(database, now_ms=NOW_MS + 1) == ["b", "c", "a", "d"]


@pytest.mark.parametrize("state", DeliveryState)
def test_open_states_are_claimed_and_no_others(database: Database, state: DeliveryState) -> None:
    given(database, an_object("o1"), a_delivery("o1", "n1", state))

    assert claimed(database) == (["o1"] if state in OPEN_STATES else [])


def test_a_claim_is_about_one_node(database: Database) -> None:
    given(database, an_object("o1"), an_object("o2"), a_delivery("o1", "n1"), a_delivery("o2", "n2"))

    assert claimed(database, node_key("n2")) == ["o2"]
    assert claimed(database, node_key("n1", "camera")) == []


def test_a_delivery_whose_object_is_gone_is_left_out_and_takes_no_place(database: Database) -> None:
    given(database, a_delivery("gone", "n1", due_at_ms=NOW_MS - 1), an_object("here"), a_delivery("here", "n1"))

    assert claimed(database, limit=1) == ["here"]


def test_a_due_time_further_ahead_than_any_retry_counts_as_due(database: Database) -> None:
    longest_ms = ANNOUNCED_RETRY.longest_ms
    for name, ahead_ms in (("normal", longest_ms), ("absurd", longest_ms + 1), ("next-year", 365 * 24 * HOUR_MS)):
        given(database, an_object(name), a_delivery(name, "n1", due_at_ms=NOW_MS + ahead_ms))

    assert sorted(claimed(database)) == ["absurd", "next-year"]


def test_has_due_says_whether_a_claim_would_find_something(database: Database) -> None:
    given(database, an_object("o1"), a_delivery("o1", "n1", due_at_ms=NOW_MS))

    def has_due(node: NodeKey, now_ms: int) -> bool:
        return database.read(lambda uow: uow.deliveries.has_due(node, now_ms))

    assert has_due(NODE, NOW_MS)
    assert has_due(NODE, NOW_MS + HOUR_MS)
    assert not has_due(NODE, NOW_MS - 1)
    assert not has_due(NODE, NOW_MS - HOUR_MS)
    assert has_due(NODE, NOW_MS - HOUR_MS - 1)  # beyond the longest retry: the clock was wrong
    assert not has_due(node_key("n2"), NOW_MS)


def test_nothing_is_due_of_an_object_that_is_gone(database: Database) -> None:
    given(database, a_delivery("gone", "n1"))

    assert not database.read(lambda uow: uow.deliveries.has_due(NODE, NOW_MS))


def test_the_next_due_time_is_the_earliest_of_the_nodes_open_deliveries(database: Database) -> None:
    def next_due_at(node: NodeKey) -> int | None:
        return database.read(lambda uow: uow.deliveries.next_due_at(node))

    for name, ahead_ms in (("a", 500), ("b", 300), ("c", 400)):
        given(database, an_object(name), a_delivery(name, "n1", due_at_ms=NOW_MS + ahead_ms))
    for state in CLOSED_STATES:
        given(database, an_object(state), a_delivery(state, "n2", state))

    assert next_due_at(NODE) == NOW_MS + 300
    assert next_due_at(node_key("n2")) is None


@pytest.mark.parametrize("state", set(DeliveryState) - {DeliveryState.DELETED})
@pytest.mark.parametrize("audience", [only("n2"), listed("n2", "n3"), nodes_of_type("camera"), placed()])
def test_a_destination_that_dropped_out_is_told_to_delete_what_it_was_sent(
    database: Database, state: DeliveryState, audience: Audience
) -> None:
    delivery = a_delivery("o1", "n1", state, due_at_ms=NOW_MS + 9, attempts=2, message="disk full", was_sent=True)
    given(database, delivery)

    database.write(lambda uow: uow.deliveries.withdraw_unaddressed(object_key("o1"), audience, NOW_MS + 5))

    withdrawn = find(database)
    assert withdrawn is not None
    assert withdrawn.state is DeliveryState.DELETING
    assert withdrawn.due_at_ms == NOW_MS + 5
    assert withdrawn.instance == INSTANCE


@pytest.mark.parametrize("audience", [only("n2"), listed("n2", "n3")])
def test_a_destination_that_was_sent_nothing_or_has_dropped_it_goes_without_a_word(
    database: Database, audience: Audience
) -> None:
    never_sent = [
        a_delivery("o1", "n1", DeliveryState.WAITING),
        a_delivery("o1", "n4", DeliveryState.PENDING),
        a_delivery("o1", "n5", DeliveryState.DELETED, was_sent=True),
    ]
    given(database, *never_sent)

    database.write(lambda uow: uow.deliveries.withdraw_unaddressed(object_key("o1"), audience, NOW_MS))

    assert database.read(lambda uow: uow.deliveries.list_of_object(object_key("o1"))) == []


def test_a_new_instance_does_not_forget_that_a_node_holds_an_older_one(database: Database) -> None:
    given(database, a_node("n1"), a_delivery("o1", "n1", DeliveryState.DELIVERED, was_sent=True))

    database.write(lambda uow: uow.deliveries.open_many([an_opening("o1", everyone(), instance=INSTANCE + 1)]))
    reopened = find(database)
    database.write(lambda uow: uow.deliveries.withdraw_unaddressed(object_key("o1"), only("n2"), NOW_MS))
    withdrawn = find(database)

    assert reopened is not None
    assert (reopened.state, reopened.was_sent) == (DeliveryState.PENDING, True)
    assert withdrawn is not None
    assert withdrawn.state is DeliveryState.DELETING


@pytest.mark.parametrize("state", DeliveryState)
@pytest.mark.parametrize(
    "audience", [everyone(), nodes_of_type("edge"), only("n1"), listed("n1", "n2")], ids=lambda audience: audience.kind
)
def test_a_destination_that_is_still_addressed_stays_as_it_is(
    database: Database, state: DeliveryState, audience: Audience
) -> None:
    delivery = a_delivery("o1", "n1", state, attempts=2)
    elsewhere = a_delivery("o2", "n9", state, attempts=2)
    given(database, delivery, elsewhere)

    database.write(lambda uow: uow.deliveries.withdraw_unaddressed(object_key("o1"), audience, NOW_MS + 5))

    assert find(database) == delivery
    assert find(database, "o2", node_key("n9")) == elsewhere


@pytest.mark.parametrize("state", DeliveryState)
def test_withdrawing_an_object_makes_every_delivery_a_deletion(database: Database, state: DeliveryState) -> None:
    delivery = a_delivery("o1", "n1", state, due_at_ms=NOW_MS + 9, attempts=2)
    given(database, delivery, a_delivery("o2", "n1", state, attempts=2))

    database.write(lambda uow: uow.deliveries.withdraw_all(object_key("o1"), NOW_MS + 5))

    assert find(database) == step(delivery, Withdrawn(), NOW_MS + 5)
    assert find(database, "o2") == a_delivery("o2", "n1", state, attempts=2)


def test_withdrawing_an_object_counts_its_deliveries(database: Database) -> None:
    given(database, *(a_delivery("o1", f"n-{state}", state) for state in DeliveryState), a_delivery("o2"))

    def withdraw(name: str) -> int:
        return database.write(lambda uow: uow.deliveries.withdraw_all(object_key(name), NOW_MS))

    assert withdraw("o1") == len(DeliveryState)
    assert withdraw("o1") == len(DeliveryState)
    assert withdraw("absent") == 0


def test_an_object_is_undeleted_while_any_delivery_is(database: Database) -> None:
    def has_undeleted() -> bool:
        return database.read(lambda uow: uow.deliveries.has_undeleted(object_key("o1")))

    assert not has_undeleted()
    given(database, a_delivery("o1", "n1", DeliveryState.DELETED), a_delivery("o2", "n1"))
    assert not has_undeleted()
    for state in set(DeliveryState) - {DeliveryState.DELETED}:
        given(database, a_delivery("o1", "n2", state))
        assert has_undeleted()


def test_one_delivery_is_removed_and_no_other(database: Database) -> None:
    given(database, a_delivery("o1", "n1"), a_delivery("o1", "n2"), a_delivery("o2", "n1"))

    database.write(lambda uow: uow.deliveries.remove(object_key("o1"), NODE))

    assert find(database) is None
    assert find(database, "o1", node_key("n2"))
    assert find(database, "o2")


def test_all_deliveries_of_an_object_are_removed(database: Database) -> None:
    given(database, a_delivery("o1", "n1"), a_delivery("o1", "n2", DeliveryState.DELETED), a_delivery("o2", "n1"))

    database.write(lambda uow: uow.deliveries.remove_of_object(object_key("o1")))

    assert database.read(lambda uow: uow.deliveries.list_of_object(object_key("o1"))) == []
    assert find(database, "o2")


def test_all_deliveries_of_a_node_are_removed(database: Database) -> None:
    given(database, a_delivery("o1", "n1"), a_delivery("o2", "n1"), a_delivery("o1", "n2"))

    database.write(lambda uow: uow.deliveries.remove_of_node(NODE))

    assert database.read(lambda uow: uow.deliveries.list_of_node(NODE)) == []
    assert find(database, "o1", node_key("n2"))


def test_a_destination_that_was_removed_comes_back_as_the_last(database: Database) -> None:
    given(database, a_delivery("o1", "n1"), a_delivery("o1", "n2"))

    database.write(lambda uow: uow.deliveries.remove(object_key("o1"), NODE))
    given(database, a_delivery("o1", "n1"))

    order = database.read(lambda uow: uow.deliveries.list_of_object(object_key("o1")))
    assert [delivery.node.id for delivery in order] == ["n2", "n1"]


@pytest.mark.parametrize("state", DeliveryState)
@pytest.mark.parametrize("lost_everything", [False, True])
def test_a_node_that_is_back_is_sent_what_the_state_machine_says(
    database: Database, state: DeliveryState, lost_everything: bool
) -> None:
    delivery = a_delivery("o1", "n1", state, due_at_ms=NOW_MS + HOUR_MS, attempts=5)
    elsewhere = replace(delivery, node=node_key("n2"))
    given(database, delivery, elsewhere)

    database.write(lambda uow: uow.deliveries.requeue_of_node(NODE, NOW_MS + 3, lost_everything=lost_everything))

    event = PeerLostIt() if lost_everything else PeerReconnected()
    expected = step(delivery, event, NOW_MS + 3)
    assert find(database) == expected
    assert find(database, "o1", node_key("n2")) == elsewhere
    if state in OPEN_STATES:
        assert (expected.due_at_ms, expected.attempts) == (NOW_MS + 3, 0)


def test_a_deleted_object_is_still_there_to_be_claimed(database: Database) -> None:
    given(database, an_object("o1", ObjectStatus.DELETED), a_delivery("o1", "n1", DeliveryState.DELETING))

    assert claimed(database) == ["o1"]


def test_what_a_node_has_comes_in_pages_in_the_order_of_the_objects(database: Database) -> None:
    in_order = [object_key("z", "Z"), object_key("Z", "a"), object_key("a", "a"), object_key("a", "日")]
    kept = [a_delivery(key, "n1", DeliveryState.CONSUMED) for key in in_order]
    given(
        database,
        *reversed(kept),
        a_delivery("o1", "n2"),
        a_delivery(object_key("o1", org="other"), node_key(org="other")),
    )

    def page(after: tuple[str, str], limit: int) -> list[Delivery]:
        return database.read(lambda uow: uow.deliveries.page_of_node(NODE, after=after, limit=limit))

    assert page(("", ""), 2) == kept[:2]
    assert page(("a", "Z"), 1) == kept[2:3]
    assert page(("a", "Z"), 9) == kept[2:]
    assert page(("日", "a"), 9) == []


@pytest.mark.parametrize("state", DeliveryState)
def test_what_a_node_has_nothing_of_is_not_reported(database: Database, state: DeliveryState) -> None:
    given(database, a_delivery("o1", "n1", state))

    page = database.read(lambda uow: uow.deliveries.page_of_node(NODE, after=("", ""), limit=9))

    has_nothing = state in (DeliveryState.WAITING, DeliveryState.DELETING, DeliveryState.DELETED)
    assert [delivery.state for delivery in page] == ([] if has_nothing else [state])
