"""The receiver's state machine, cell by cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.errors import ProtocolViolation
from common.domain.ids import cloud_of
from common.domain.reception import (
    ANSWER_OWED,
    ANSWER_OWED_ON_REPEAT,
    RECEPTION_EVENTS,
    TRANSITIONS,
    UPDATED_DELAY_MS,
    Answer,
    AppConfirmedDeletion,
    AppConsumed,
    AppReceived,
    DataComplete,
    DataFailed,
    NewInstance,
    OriginDeleted,
    Reception,
    ReceptionEvent,
    ReceptionState,
    answer_acknowledged,
    answer_again,
    answer_sent,
    first_heard,
    first_heard_deleted,
    step,
)
from common.domain.retry import OFFER_RETRY
from tests.support.builders import a_reception
from tests.support.manual_clock import NOW_MS

FETCHING, FAILED, READY = ReceptionState.FETCHING, ReceptionState.FAILED, ReceptionState.READY
SEEN, CONSUMED = ReceptionState.SEEN, ReceptionState.CONSUMED
DELETED, FORGOTTEN = ReceptionState.DELETED, ReceptionState.FORGOTTEN

ORIGIN = cloud_of("acme")
META = a_reception().meta
KEY = a_reception().object

EVENTS: list[ReceptionEvent] = [
    NewInstance(needs_data=True),
    NewInstance(needs_data=False),
    DataComplete(),
    DataFailed("disk full"),
    AppReceived(),
    AppConsumed(),
    OriginDeleted(),
    AppConfirmedDeletion(),
]


def name_of(event: ReceptionEvent) -> str:
    return repr(event)


def is_placed(state: ReceptionState, event: ReceptionEvent) -> bool:
    return type(event) in TRANSITIONS[state]


@pytest.mark.parametrize("event", EVENTS, ids=name_of)
@pytest.mark.parametrize("state", ReceptionState)
def test_every_event_is_either_placed_in_the_table_or_refused(state: ReceptionState, event: ReceptionEvent) -> None:
    if event == NewInstance(needs_data=False):
        assert step(a_reception(state=state), event, NOW_MS).state is READY
    elif is_placed(state, event):
        assert step(a_reception(state=state), event, NOW_MS).state is TRANSITIONS[state][type(event)]
    else:
        with pytest.raises(ProtocolViolation, match=f"{type(event).__name__}.*{state}"):
            step(a_reception(state=state), event, NOW_MS)


def test_the_table_knows_all_states_and_events() -> None:
    assert set(TRANSITIONS) == set(ReceptionState) == set(ANSWER_OWED) == set(ANSWER_OWED_ON_REPEAT)
    assert {kind for row in TRANSITIONS.values() for kind in row} == set(RECEPTION_EVENTS)
    assert {type(event) for event in EVENTS} == set(RECEPTION_EVENTS) == set(ReceptionEvent.__args__)


def test_every_state_can_be_reached() -> None:
    reached = {FETCHING, READY, DELETED}
    while more := {target for state in reached for target in TRANSITIONS[state].values()} - reached:
        reached |= more

    assert reached == set(ReceptionState)


@pytest.mark.parametrize("state", ReceptionState)
def test_a_new_instance_is_welcome_in_every_state(state: ReceptionState) -> None:
    assert step(a_reception(state=state), NewInstance(needs_data=True), NOW_MS).state is FETCHING
    assert step(a_reception(state=state), NewInstance(needs_data=False), NOW_MS).state is READY


@pytest.mark.parametrize("state", ReceptionState)
def test_the_origin_can_delete_in_every_state(state: ReceptionState) -> None:
    assert step(a_reception(state=state), OriginDeleted(), NOW_MS).state is DELETED


@pytest.mark.parametrize("event", EVENTS, ids=name_of)
@pytest.mark.parametrize("state", ReceptionState)
def test_entering_a_state_owes_the_origin_its_answer(state: ReceptionState, event: ReceptionEvent) -> None:
    if is_placed(state, event) and not isinstance(event, AppReceived):
        moved = step(a_reception(state=state, attempts=7, is_answered=True), event, NOW_MS)

        assert moved.answer is ANSWER_OWED[moved.state]
        assert moved.attempts == 0


def test_updated_is_left_out_when_received_follows_at_once() -> None:
    fetching = first_heard(KEY, ORIGIN, META, needs_data=True, now_ms=NOW_MS)
    ready = step(fetching, DataComplete(), NOW_MS + 1)

    assert (fetching.answer, fetching.answer_due_at_ms) == (Answer.UPDATED, NOW_MS + UPDATED_DELAY_MS)
    assert (ready.answer, ready.answer_due_at_ms) == (Answer.RECEIVED, NOW_MS + 1)


@given(
    st.booleans(),
    st.lists(st.one_of(st.sampled_from(EVENTS), st.sampled_from(Answer), st.sampled_from(["sent", "again"]))),
)
def test_an_answer_is_owed_exactly_while_it_has_a_due_time(
    needs_data: bool, story: list[ReceptionEvent | Answer | str]
) -> None:
    reception = first_heard(KEY, ORIGIN, META, needs_data, NOW_MS)

    for happening in story:
        reception = after(reception, happening)
        assert (reception.answer is None) == (reception.answer_due_at_ms is None)


def after(reception: Reception, happening: ReceptionEvent | Answer | str) -> Reception:
    """The reception after an event, an acknowledgement, or its answer being sent or asked for again."""
    if isinstance(happening, Answer):
        return answer_acknowledged(reception, happening)
    if isinstance(happening, str):
        if happening == "again":
            return answer_again(reception, NOW_MS)
        return answer_sent(reception, NOW_MS) if reception.answer else reception
    return step(reception, happening, NOW_MS) if is_placed(reception.state, happening) else reception


@pytest.mark.parametrize(("needs_data", "state"), [(True, FETCHING), (False, READY)])
def test_an_object_without_data_to_fetch_is_ready_at_once(needs_data: bool, state: ReceptionState) -> None:
    reception = first_heard(KEY, ORIGIN, META, needs_data, NOW_MS)

    assert (reception.state, reception.answer) == (state, ANSWER_OWED[state])
    assert (reception.object, reception.origin, reception.meta, reception.instance) == (
        KEY,
        ORIGIN,
        META,
        META.instance_id,
    )


def test_a_deletion_of_an_object_never_heard_of_is_acknowledged() -> None:
    reception = first_heard_deleted(KEY, ORIGIN, META, NOW_MS)

    assert (reception.state, reception.answer) == (DELETED, Answer.DELETION_ACKNOWLEDGED)
    assert reception.answer_due_at_ms == NOW_MS


def test_a_failure_is_reported_with_its_reason_and_forgotten_with_the_next_try() -> None:
    failed = step(a_reception(), DataFailed("disk full"), NOW_MS)
    again = step(failed, NewInstance(needs_data=True), NOW_MS)

    assert (failed.answer, failed.message) == (Answer.FEEDBACK, "disk full")
    assert (again.answer, again.message) == (Answer.UPDATED, "")


def test_being_seen_by_applications_leaves_the_answer_as_it_stands() -> None:
    ready = answer_sent(a_reception(state=READY), NOW_MS)

    seen = step(ready, AppReceived(), NOW_MS)

    assert seen.state is SEEN
    assert (seen.answer, seen.answer_due_at_ms, seen.attempts) == (
        ready.answer,
        ready.answer_due_at_ms,
        ready.attempts,
    )


@pytest.mark.parametrize("attempts", [0, 1, 6, 1_000_000])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_an_answer_is_repeated_after_a_growing_time_until_it_is_acknowledged(attempts: int, jitter: float) -> None:
    sent = answer_sent(a_reception(state=READY, attempts=attempts), NOW_MS, jitter)

    ceiling_ms = OFFER_RETRY.ceiling_ms(attempts + 1)
    assert (sent.attempts, sent.answer) == (attempts + 1, Answer.RECEIVED)
    assert sent.answer_due_at_ms is not None
    assert ceiling_ms // 2 <= sent.answer_due_at_ms - NOW_MS <= ceiling_ms


@pytest.mark.parametrize("acknowledged", Answer)
@pytest.mark.parametrize("state", ReceptionState)
def test_an_acknowledgement_ends_exactly_the_answer_it_names(state: ReceptionState, acknowledged: Answer) -> None:
    owing = a_reception(state=state, attempts=3)

    settled = answer_acknowledged(owing, acknowledged)

    if owing.answer is acknowledged:
        assert (settled.answer, settled.answer_due_at_ms, settled.attempts) == (None, None, 0)
        assert settled.state is state
    else:
        assert settled == owing


@pytest.mark.parametrize("state", ReceptionState)
def test_a_repeat_of_the_origin_gets_an_answer_at_once_and_moves_nothing(state: ReceptionState) -> None:
    again = answer_again(a_reception(state=state, is_answered=True, attempts=4), NOW_MS)

    assert again.state is state
    assert again.answer is ANSWER_OWED_ON_REPEAT[state]
    assert (again.answer_due_at_ms, again.attempts) == (NOW_MS, 0)
