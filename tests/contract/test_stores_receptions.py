"""What every ReceptionStore and UploadStore promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.domain.chunks import Coverage
from common.domain.ids import NodeKey, ObjectKey
from common.domain.reception import ANSWER_OWED, Answer, Reception, ReceptionState
from common.sync.ports import Database, UnitOfWork
from common.sync.records import Upload
from tests.support.builders import INSTANCE, a_reception, node_key, object_key
from tests.support.manual_clock import NOW_MS
from tests.support.store_places import given

GB = 1 << 30
HERE, THERE = node_key("n1"), node_key("n2")


def find(database: Database, key: ObjectKey) -> Reception | None:
    return database.read(lambda uow: uow.receptions.find(key))


def answers(database: Database, origin: NodeKey | None, *, now_ms: int = NOW_MS, limit: int = 100) -> list[str]:
    """Ids of the objects in the order of the claim; nothing is saved, so that they are due again."""
    claimed = database.write(lambda uow: uow.receptions.claim_answers(origin, now_ms, limit))
    return [reception.object.id for reception in claimed]


@pytest.mark.parametrize("state", ReceptionState)
@pytest.mark.parametrize("answer", [*Answer, None])
def test_a_reception_is_found_as_it_was_saved(database: Database, state: ReceptionState, answer: Answer | None) -> None:
    saved = replace(
        a_reception("o1", state, origin=HERE, instance=2**63 - 1, attempts=3, message="Ünïcödé: 'full' 🙂"),
        answer=answer,
        answer_due_at_ms=NOW_MS if answer else None,
        staged="staged-name",
        coverage=Coverage.of([(0, 10), (5 * GB, 6 * GB)]),
    )
    given(database, saved)

    assert find(database, saved.object) == saved
    assert database.write(lambda uow: uow.receptions.find(saved.object, lock=True)) == saved


def test_an_object_never_heard_of_has_no_reception(database: Database) -> None:
    assert find(database, object_key("absent")) is None
    assert database.write(lambda uow: uow.receptions.find(object_key("absent"), lock=True)) is None


def test_saving_a_reception_again_replaces_it(database: Database) -> None:
    given(database, a_reception("o1", staged="s", coverage=Coverage.of([(0, 5)]), attempts=4))
    fresh = a_reception("o1", ReceptionState.SEEN, origin=HERE, instance=INSTANCE + 1, is_answered=True)
    given(database, fresh)

    assert find(database, fresh.object) == fresh


def test_a_removed_reception_is_gone(database: Database) -> None:
    given(database, a_reception("o1"), a_reception("o2"))

    database.write(lambda uow: uow.receptions.remove(object_key("o1")))
    database.write(lambda uow: uow.receptions.remove(object_key("o1")))

    assert find(database, object_key("o1")) is None
    assert find(database, object_key("o2"))


@pytest.mark.parametrize("state", ReceptionState)
def test_only_transfers_under_way_are_listed_as_fetching(database: Database, state: ReceptionState) -> None:
    given(database, a_reception("o1", state))

    fetching = database.read(lambda uow: uow.receptions.list_fetching(10))

    assert [reception.state for reception in fetching] == [state] * (state is ReceptionState.FETCHING)


def test_fetching_is_listed_oldest_first(database: Database) -> None:
    for name in ("c", "a", "b"):
        given(database, a_reception(name))

    def fetching(limit: int) -> list[str]:
        return [each.object.id for each in database.read(lambda uow: uow.receptions.list_fetching(limit))]

    assert fetching(10) == ["c", "a", "b"]
    assert fetching(2) == ["c", "a"]


def test_a_transfer_that_gets_on_keeps_its_turn(database: Database) -> None:
    given(database, a_reception("a"), a_reception("b"))
    given(database, a_reception("a", coverage=Coverage.of([(0, 5)])))

    fetching = database.read(lambda uow: uow.receptions.list_fetching(10))

    assert [each.object.id for each in fetching] == ["a", "b"]


def test_due_answers_are_claimed_oldest_first(database: Database) -> None:
    due_at = {"a": NOW_MS, "b": NOW_MS - 2, "c": NOW_MS - 1, "d": NOW_MS + 1}
    for name, due_at_ms in due_at.items():
        given(database, a_reception(name, due_at_ms=due_at_ms))

    assert answers(database, None) == ["b", "c", "a"]
    assert answers(database, None, limit=2) == ["b", "c"]
    assert answers(database, None, now_ms=NOW_MS - 3) == []
    assert answers(database, None, now_ms=NOW_MS + 1) == ["b", "c", "a", "d"]


@pytest.mark.parametrize("state", [state for state in ReceptionState if ANSWER_OWED[state]])
def test_answers_of_every_kind_are_claimed_until_they_are_acknowledged(
    database: Database, state: ReceptionState
) -> None:
    given(database, a_reception("owed", state), a_reception("acknowledged", state, is_answered=True))

    assert answers(database, None) == ["owed"]


def test_a_claim_of_answers_is_about_one_origin_or_all(database: Database) -> None:
    given(database, a_reception("o1", origin=HERE), a_reception("o2", origin=THERE, due_at_ms=NOW_MS - 1))

    assert answers(database, HERE) == ["o1"]
    assert answers(database, THERE) == ["o2"]
    assert answers(database, node_key("n1", "camera")) == []
    assert answers(database, None) == ["o2", "o1"]


def test_an_origin_that_is_back_is_told_at_once_what_it_is_owed(database: Database) -> None:
    later = NOW_MS + 3_600_000
    owed = a_reception("owed", origin=HERE, due_at_ms=later, attempts=8)
    settled = a_reception("settled", origin=HERE, is_answered=True)
    elsewhere = a_reception("elsewhere", origin=THERE, due_at_ms=later, attempts=8)
    given(database, owed, settled, elsewhere)

    database.write(lambda uow: uow.receptions.requeue_answers(HERE, NOW_MS))

    assert find(database, owed.object) == replace(owed, answer_due_at_ms=NOW_MS, attempts=0)
    assert find(database, settled.object) == settled
    assert find(database, elsewhere.object) == elsewhere


def test_a_reception_that_was_missing_can_be_saved_twice_in_one_use_case(database: Database) -> None:
    def take_in(uow: UnitOfWork) -> None:
        assert uow.receptions.find(object_key("o1"), lock=True) is None
        uow.receptions.save(a_reception("o1"))
        uow.receptions.save(a_reception("o1", ReceptionState.READY))

    database.write(take_in)

    assert find(database, object_key("o1")) == a_reception("o1", ReceptionState.READY)


def test_has_answers_says_whether_a_claim_would_find_something(database: Database) -> None:
    given(database, a_reception("o1", origin=HERE), a_reception("o2", origin=THERE, is_answered=True))

    def has_answers(origin: NodeKey, now_ms: int) -> bool:
        return database.read(lambda uow: uow.receptions.has_answers(origin, now_ms))

    assert has_answers(HERE, NOW_MS)
    assert not has_answers(HERE, NOW_MS - 1)
    assert not has_answers(THERE, NOW_MS)


def test_the_next_answer_is_the_earliest_of_the_origin_or_of_all(database: Database) -> None:
    def next_answer_at(origin: NodeKey | None) -> int | None:
        return database.read(lambda uow: uow.receptions.next_answer_at(origin))

    assert next_answer_at(None) is None
    given(
        database,
        a_reception("o1", origin=HERE, due_at_ms=NOW_MS + 500),
        a_reception("o2", origin=HERE, due_at_ms=NOW_MS + 400),
        a_reception("o3", origin=THERE, due_at_ms=NOW_MS + 300),
        a_reception("o4", origin=THERE, is_answered=True),
    )

    assert next_answer_at(HERE) == NOW_MS + 400
    assert next_answer_at(None) == NOW_MS + 300
    assert next_answer_at(node_key("n3")) is None


def test_the_oldest_consumed_receptions_are_forgotten(database: Database) -> None:
    for name in ("e", "d", "c", "b", "a"):
        given(database, a_reception(name, ReceptionState.CONSUMED, is_answered=True))

    assert database.write(lambda uow: uow.receptions.prune_finished(keep=2)) == 3

    left = [name for name in "edcba" if find(database, object_key(name))]
    assert left == ["b", "a"]
    assert database.write(lambda uow: uow.receptions.prune_finished(keep=2)) == 0


def test_what_is_not_consumed_or_not_answered_is_never_forgotten(database: Database) -> None:
    needed = [
        a_reception(f"in-{state}", state, is_answered=True) for state in set(ReceptionState) - {"consumed", "forgotten"}
    ]
    given(database, *needed, a_reception("unanswered", ReceptionState.CONSUMED))
    given(database, a_reception("done", ReceptionState.CONSUMED, is_answered=True))

    assert database.write(lambda uow: uow.receptions.prune_finished(keep=0)) == 1

    assert find(database, object_key("done")) is None
    assert find(database, object_key("unanswered"))
    assert all(find(database, each.object) for each in needed)


UPLOAD = Upload(object_key("o1"), "staged", 10 * GB, 50_000_000, Coverage.of([(0, 5), (7, 9 * GB)]), NOW_MS)


def find_upload(database: Database) -> Upload | None:
    return database.read(lambda uow: uow.uploads.find(object_key("o1")))


def test_an_upload_is_found_as_it_was_saved(database: Database) -> None:
    assert find_upload(database) is None

    given(database, UPLOAD)

    assert find_upload(database) == UPLOAD
    assert database.write(lambda uow: uow.uploads.find(object_key("o1"), lock=True)) == UPLOAD


def test_saving_an_upload_again_replaces_it(database: Database) -> None:
    given(database, UPLOAD)
    fresh = replace(UPLOAD, staged="other", coverage=Coverage())
    given(database, fresh)

    assert find_upload(database) == fresh


def test_a_removed_upload_is_gone(database: Database) -> None:
    given(database, UPLOAD)

    database.write(lambda uow: uow.uploads.remove(object_key("o1")))
    database.write(lambda uow: uow.uploads.remove(object_key("o1")))

    assert find_upload(database) is None
