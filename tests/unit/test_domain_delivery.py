"""The sender's state machine, cell by cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.delivery import (
    DELIVERY_EVENTS,
    OPEN_STATES,
    STATUS_WORDS,
    TRANSITIONS,
    Delivery,
    DeliveryEvent,
    DeliveryState,
    Offered,
    OutboxMessage,
    PeerConsumed,
    PeerDroppedIt,
    PeerFailed,
    PeerLostIt,
    PeerReceived,
    PeerReconnected,
    PeerUpdated,
    Readied,
    Withdrawn,
    message_of,
    opening,
    step,
)
from common.domain.errors import ProtocolViolation
from common.domain.retry import ANNOUNCED_RETRY, FAILURE_RETRY, OFFER_RETRY
from tests.support.builders import INSTANCE, a_delivery, node_key, object_key
from tests.support.manual_clock import NOW_MS

PENDING, ANNOUNCED, DELIVERED = DeliveryState.PENDING, DeliveryState.ANNOUNCED, DeliveryState.DELIVERED
CONSUMED, FAILED, WAITING = DeliveryState.CONSUMED, DeliveryState.FAILED, DeliveryState.WAITING
DELETING, DELETED = DeliveryState.DELETING, DeliveryState.DELETED

LONGEST_MS = max(OFFER_RETRY.longest_ms, ANNOUNCED_RETRY.longest_ms, FAILURE_RETRY.longest_ms)

#: How far a delivery has come. A failure undoes nothing: what the peer has announced to hold, it holds.
PROGRESS = {WAITING: 0, PENDING: 1, ANNOUNCED: 2, FAILED: 2, DELIVERED: 3, CONSUMED: 4, DELETING: 5, DELETED: 6}

ANSWERS: list[DeliveryEvent] = [PeerUpdated(), PeerReceived(), PeerConsumed(), PeerFailed("disk full")]


def an_event(kind: type[DeliveryEvent]) -> DeliveryEvent:
    return PeerFailed("disk full") if kind is PeerFailed else kind()  # type: ignore[call-arg]


def delivery_in(state: DeliveryState, *, attempts: int = 0) -> Delivery:
    return a_delivery("o1", "n1", state, attempts=attempts, due_at_ms=NOW_MS - 1_000)


def name_of(kind: type[DeliveryEvent]) -> str:
    return kind.__name__


def is_placed(state: DeliveryState, event: DeliveryEvent) -> bool:
    return type(event) in TRANSITIONS[state]


@pytest.mark.parametrize("kind", DELIVERY_EVENTS, ids=name_of)
@pytest.mark.parametrize("state", DeliveryState)
def test_every_event_is_either_placed_in_the_table_or_refused(state: DeliveryState, kind: type[DeliveryEvent]) -> None:
    if kind in TRANSITIONS[state]:
        assert step(delivery_in(state), an_event(kind), NOW_MS).state is TRANSITIONS[state][kind]
    else:
        with pytest.raises(ProtocolViolation, match=f"{kind.__name__}.*{state}"):
            step(delivery_in(state), an_event(kind), NOW_MS)


def test_the_table_knows_all_states_and_events() -> None:
    assert set(TRANSITIONS) == set(DeliveryState)
    assert {kind for row in TRANSITIONS.values() for kind in row} == set(DELIVERY_EVENTS)
    assert set(DeliveryEvent.__args__) == set(DELIVERY_EVENTS)


def test_every_state_can_be_reached() -> None:
    reached = {WAITING, PENDING}
    while more := {target for state in reached for target in TRANSITIONS[state].values()} - reached:
        reached |= more

    assert reached == set(DeliveryState)


@pytest.mark.parametrize("kind", DELIVERY_EVENTS, ids=name_of)
@pytest.mark.parametrize("state", DeliveryState)
def test_open_states_have_a_due_time_and_only_those(state: DeliveryState, kind: type[DeliveryEvent]) -> None:
    if kind in TRANSITIONS[state]:
        moved = step(delivery_in(state), an_event(kind), NOW_MS)

        assert (moved.due_at_ms is not None) == (moved.state in OPEN_STATES)


@pytest.mark.parametrize("kind", DELIVERY_EVENTS, ids=name_of)
@pytest.mark.parametrize("state", DeliveryState)
def test_an_event_never_changes_what_is_delivered_to_whom(state: DeliveryState, kind: type[DeliveryEvent]) -> None:
    if kind in TRANSITIONS[state]:
        moved = step(delivery_in(state), an_event(kind), NOW_MS)

        assert (moved.object, moved.node, moved.instance) == (object_key("o1"), node_key("n1"), INSTANCE)


@given(
    st.sampled_from(sorted({*DeliveryState} - {WAITING})),
    st.lists(st.sampled_from(ANSWERS)),
)
def test_repeated_and_reordered_answers_never_move_a_delivery_back(
    state: DeliveryState, answers: list[DeliveryEvent]
) -> None:
    delivery = delivery_in(state)

    for answer in answers:
        moved = step(delivery, answer, NOW_MS)
        assert PROGRESS[moved.state] >= PROGRESS[delivery.state]
        delivery = moved


@given(st.permutations([PeerUpdated(), PeerReceived(), PeerConsumed()]), st.data())
def test_in_whatever_order_answers_arrive_the_delivery_ends_consumed(
    order: list[DeliveryEvent], data: st.DataObject
) -> None:
    delivery = delivery_in(PENDING, attempts=1)

    for answer in [*order, *data.draw(st.lists(st.sampled_from(order)))]:
        delivery = step(delivery, answer, NOW_MS)

    assert delivery.state is CONSUMED
    assert message_of(delivery.state) is None


@given(
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(DELIVERY_EVENTS), st.integers(0, 10**7)), max_size=40),
    st.floats(0, 1, exclude_max=True),
)
def test_whatever_happens_the_next_offer_is_within_the_longest_delay(
    is_deliverable: bool, story: list[tuple[type[DeliveryEvent], int]], jitter: float
) -> None:
    now_ms = NOW_MS
    delivery = opening(object_key("o1"), node_key("n1"), INSTANCE, is_deliverable, now_ms)

    for kind, passed_ms in story:
        now_ms += passed_ms
        if is_placed(delivery.state, an_event(kind)):
            delivery = step(delivery, an_event(kind), now_ms, jitter)
        assert (delivery.due_at_ms is not None) == (delivery.state in OPEN_STATES)
        assert delivery.due_at_ms is None or delivery.due_at_ms <= now_ms + LONGEST_MS
        assert delivery.attempts >= 0


@pytest.mark.parametrize(("is_deliverable", "state", "due_at_ms"), [(True, PENDING, NOW_MS), (False, WAITING, None)])
def test_a_delivery_opens_due_at_once_or_waiting(
    is_deliverable: bool, state: DeliveryState, due_at_ms: int | None
) -> None:
    opened = opening(object_key("o1"), node_key("n1"), INSTANCE, is_deliverable, NOW_MS)

    assert opened == Delivery(object_key("o1"), node_key("n1"), INSTANCE, state, due_at_ms, attempts=0, message="")


@pytest.mark.parametrize(
    ("state", "policy"),
    [(PENDING, OFFER_RETRY), (ANNOUNCED, ANNOUNCED_RETRY), (FAILED, OFFER_RETRY), (DELETING, OFFER_RETRY)],
)
@pytest.mark.parametrize("attempts", [0, 1, 5, 1_000_000])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_an_offer_is_repeated_after_a_growing_time_unless_it_is_answered(
    state: DeliveryState, policy: object, attempts: int, jitter: float
) -> None:
    assert isinstance(policy, type(OFFER_RETRY))
    offered = step(delivery_in(state, attempts=attempts), Offered(), NOW_MS, jitter)

    ceiling_ms = policy.ceiling_ms(attempts + 1)
    assert offered.attempts == attempts + 1
    assert offered.due_at_ms is not None
    assert ceiling_ms // 2 <= offered.due_at_ms - NOW_MS <= ceiling_ms


def test_a_peer_that_took_the_metadata_is_given_time_to_fetch() -> None:
    announced = step(delivery_in(PENDING, attempts=3), PeerUpdated(), NOW_MS)

    assert (announced.state, announced.attempts) == (ANNOUNCED, 0)
    assert announced.due_at_ms == NOW_MS + ANNOUNCED_RETRY.first_ms


def test_a_peer_that_is_still_fetching_is_given_more_time() -> None:
    announced = step(delivery_in(ANNOUNCED, attempts=3), PeerUpdated(), NOW_MS)

    assert (announced.state, announced.attempts) == (ANNOUNCED, 0)
    assert announced.due_at_ms == NOW_MS + ANNOUNCED_RETRY.first_ms


@pytest.mark.parametrize("state", [PENDING, ANNOUNCED, FAILED])
@pytest.mark.parametrize("jitter", [0.0, 0.999])
def test_a_failure_is_remembered_and_tried_again_later(state: DeliveryState, jitter: float) -> None:
    failed = step(delivery_in(state), PeerFailed("disk full"), NOW_MS, jitter)

    assert (failed.state, failed.message, failed.attempts) == (FAILED, "disk full", 1)
    assert failed.due_at_ms is not None
    assert FAILURE_RETRY.first_ms <= failed.due_at_ms - NOW_MS <= 2 * FAILURE_RETRY.first_ms


def test_a_peer_may_say_when_it_wants_to_be_asked_again() -> None:
    failed = step(delivery_in(PENDING), PeerFailed("busy", retry_after_ms=42_000), NOW_MS)

    assert failed.due_at_ms == NOW_MS + 42_000


@pytest.mark.parametrize("state", [DELIVERED, CONSUMED])
def test_a_failure_overtaken_by_its_own_success_changes_nothing(state: DeliveryState) -> None:
    assert step(delivery_in(state), PeerFailed("disk full"), NOW_MS) == delivery_in(state)


@pytest.mark.parametrize("answer", [PeerReceived(), PeerConsumed()])
def test_success_clears_the_message_of_an_earlier_failure(answer: DeliveryEvent) -> None:
    failed = step(delivery_in(PENDING), PeerFailed("disk full"), NOW_MS)

    assert step(failed, answer, NOW_MS).message == ""


@pytest.mark.parametrize("state", sorted(set(DeliveryState) - {DELETED}))
def test_a_withdrawn_delivery_offers_its_deletion_at_once(state: DeliveryState) -> None:
    withdrawn = step(delivery_in(state, attempts=4), Withdrawn(), NOW_MS)

    assert withdrawn.state is DELETING
    assert message_of(withdrawn.state) is OutboxMessage.DELETE
    if state is not DELETING:
        assert (withdrawn.due_at_ms, withdrawn.attempts) == (NOW_MS, 0)


def test_withdrawing_twice_does_not_hurry_a_deletion_that_was_offered() -> None:
    offered = step(step(delivery_in(CONSUMED), Withdrawn(), NOW_MS), Offered(), NOW_MS)

    assert step(offered, Withdrawn(), NOW_MS + 1) == offered


@given(st.lists(st.sampled_from([*ANSWERS, PeerLostIt(), PeerReconnected(), Withdrawn()])))
def test_nothing_but_the_peers_word_ends_a_deletion(story: list[DeliveryEvent]) -> None:
    delivery = delivery_in(DELETING)

    for event in story:
        delivery = step(delivery, event, NOW_MS)
        assert delivery.state is DELETING

    assert step(delivery, PeerDroppedIt(), NOW_MS).state is DELETED


@pytest.mark.parametrize("state", sorted(OPEN_STATES))
def test_a_peer_that_is_back_is_offered_what_is_unanswered_at_once(state: DeliveryState) -> None:
    moved = step(delivery_in(state, attempts=9), PeerReconnected(), NOW_MS)

    assert (moved.state, moved.due_at_ms, moved.attempts) == (state, NOW_MS, 0)


@pytest.mark.parametrize("state", [PENDING, ANNOUNCED, DELIVERED, FAILED])
def test_a_peer_that_lost_its_store_is_sent_again_what_was_not_consumed(state: DeliveryState) -> None:
    moved = step(delivery_in(state, attempts=9), PeerLostIt(), NOW_MS)

    assert (moved.state, moved.due_at_ms, moved.attempts) == (PENDING, NOW_MS, 0)


def test_what_was_consumed_stays_consumed_when_the_peer_loses_its_store() -> None:
    assert step(delivery_in(CONSUMED), PeerLostIt(), NOW_MS) == delivery_in(CONSUMED)


@pytest.mark.parametrize("state", sorted({*DeliveryState} - {WAITING, DELETING, DELETED}))
def test_readiness_that_comes_again_changes_nothing(state: DeliveryState) -> None:
    delivery = delivery_in(state, attempts=2)

    assert step(delivery, Readied(), NOW_MS) == delivery


def test_a_waiting_delivery_is_due_when_its_object_is_ready() -> None:
    ready = step(delivery_in(WAITING), Readied(), NOW_MS)

    assert (ready.state, ready.due_at_ms) == (PENDING, NOW_MS)


@pytest.mark.parametrize("state", DeliveryState)
def test_open_states_have_a_message_to_send_and_only_those(state: DeliveryState) -> None:
    assert (message_of(state) is not None) == (state in OPEN_STATES)


def test_deletion_is_what_a_deleting_delivery_sends() -> None:
    assert {state for state in DeliveryState if message_of(state) is OutboxMessage.DELETE} == {DELETING}


@pytest.mark.parametrize("state", DeliveryState)
def test_every_state_has_a_public_word(state: DeliveryState) -> None:
    assert delivery_in(state).status_word == STATUS_WORDS[state]
    assert STATUS_WORDS[state] in {"pending", "delivering", "delivered", "consumed", "error", "deleted"}
