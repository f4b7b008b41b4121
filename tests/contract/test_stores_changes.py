"""What every ChangeStore promises: nothing a reader has not seen is ever numbered as if it had."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from threading import Event

import pytest

from common.domain.ids import ObjectKey
from common.domain.objects import ObjectStatus, SyncObject
from common.sync.changes import Position
from common.sync.feeding import Question, Reading, read_changes
from common.sync.ports import Database, UnitOfWork
from common.sync.showing import show
from tests.support.builders import ORG, an_object, object_key
from tests.support.store_places import WAIT_SECONDS

TYPE = object_key("o1").type
ALL = Question(ORG, (TYPE,))

on_postgres = pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
durable = pytest.mark.parametrize(
    "place", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def a_copy(name: str, object_type: str = TYPE, status: ObjectStatus = ObjectStatus.COMPLETELY_RECEIVED) -> SyncObject:
    return replace(an_object(name), key=ObjectKey(ORG, object_type, name), status=status, is_own=False)


def show_all(database: Database, *names: str) -> None:
    """In one transaction each."""
    for name in names:
        database.write(lambda uow: show(uow, a_copy(name)))  # noqa: B023 - called before the loop goes on


def show_together(*names: str) -> Callable[[UnitOfWork], None]:
    def work(uow: UnitOfWork) -> None:
        for name in names:
            show(uow, a_copy(name))

    return work


def read(database: Database, since: Position | None = None, limit: int = 100, asked: Question = ALL) -> Reading:
    return database.read(lambda uow: read_changes(uow, asked, since, limit))


def names(reading: Reading) -> list[str]:
    return [item.key.id for item in reading.objects]


def test_changes_come_in_the_order_in_which_they_were_committed(database: Database) -> None:
    show_all(database, "b", "c", "a")

    reading = read(database)

    assert names(reading) == ["b", "c", "a"]
    assert reading.is_complete


def test_a_reader_gets_what_came_after_its_position_and_nothing_else(database: Database) -> None:
    show_all(database, "a", "b")
    position = read(database).position
    assert names(read(database, position)) == []

    show_all(database, "c", "a")

    assert names(read(database, position)) == ["c", "a"]


def test_objects_that_are_not_shown_are_not_in_the_way(database: Database) -> None:
    show_all(database, "a")
    database.write(lambda uow: uow.objects.save_many([a_copy("partial", status=ObjectStatus.PARTIALLY_RECEIVED)]))
    database.write(lambda uow: uow.objects.save_many([an_object("own")]))

    assert names(read(database)) == ["a"]


def test_what_was_marked_received_comes_only_when_asked_for(database: Database) -> None:
    show_all(database, "a", "b")
    database.write(
        lambda uow: uow.objects.save_many([replace(uow.objects.get(object_key("a")), status=ObjectStatus.RECEIVED)])
    )

    assert names(read(database)) == ["b"]
    assert names(read(database, asked=Question(ORG, (TYPE,), with_received=True))) == ["a", "b"]


def test_several_types_come_in_one_order(database: Database) -> None:
    for name, object_type in (("1", "x"), ("2", "y"), ("3", "x"), ("4", "z"), ("5", "y")):
        database.write(lambda uow: show(uow, a_copy(name, object_type)))  # noqa: B023

    assert names(read(database, asked=Question(ORG, ("x", "y")))) == ["1", "2", "3", "5"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7])
def test_pages_miss_nothing_and_repeat_nothing(database: Database, limit: int) -> None:
    show_all(database, "1", "2")
    database.write(show_together("3", "4", "5"))
    show_all(database, "6", "7")

    found: list[str] = []
    reading = read(database, limit=limit)
    while not reading.is_complete:
        found += sorted(names(reading))
        reading = read(database, reading.position, limit)

    assert found + names(reading) == ["1", "2", "3", "4", "5", "6", "7"]


def test_a_page_ends_with_a_whole_transaction(database: Database) -> None:
    database.write(show_together("1", "2", "3"))
    show_all(database, "4")

    assert sorted(names(read(database, limit=2))) == ["1", "2", "3"]


def test_a_position_of_another_store_means_everything(database: Database) -> None:
    show_all(database, "a", "b")
    position = read(database).position

    for foreign in (replace(position, epoch=position.epoch + 1), replace(position, newest=position.newest + 10**9)):
        reading = read(database, foreign)
        assert names(reading) == ["a", "b"]
        assert reading.starts_over


def test_a_change_that_failed_is_not_shown(database: Database) -> None:
    class GivenUp(Exception):
        pass

    def fail(uow: UnitOfWork) -> None:
        show(uow, a_copy("never"))
        raise GivenUp

    show_all(database, "a")
    position = read(database).position
    with pytest.raises(GivenUp):
        database.write(fail)
    show_all(database, "b")

    assert names(read(database, position)) == ["b"]


@durable
def test_a_position_outlives_the_process(open_database: Callable[[], Database]) -> None:
    first = open_database()
    show_all(first, "a", "b")
    position = read(first).position
    show_all(first, "c")
    first.close()

    second = open_database()
    show_all(second, "d")

    reading = read(second, position)
    assert names(reading) == ["c", "d"]
    assert not reading.starts_over


@durable
def test_numbers_are_not_given_out_again_when_the_newest_objects_are_gone(
    open_database: Callable[[], Database],
) -> None:
    first = open_database()
    show_all(first, "a", "b")
    position = read(first).position
    first.write(lambda uow: uow.objects.remove(object_key("b")))
    first.close()

    second = open_database()
    show_all(second, "c")

    assert names(read(second, position)) == ["c"]


@on_postgres
def test_a_transaction_that_commits_after_a_later_one_is_not_missed(open_database: Callable[[], Database]) -> None:
    """Two replicas. The first one draws the lower number and commits last."""
    slow, quick = open_database(), open_database()
    show_all(quick, "before")
    has_number, may_commit = Event(), Event()

    def hold(uow: UnitOfWork) -> None:
        show(uow, a_copy("slow"))
        has_number.set()
        assert may_commit.wait(WAIT_SECONDS)

    held: Future[None] = slow.submit(hold)
    assert has_number.wait(WAIT_SECONDS)
    show_all(quick, "quick")

    early = read(quick)
    assert names(early) == ["before", "quick"]
    assert early.position.settled < early.objects[-1].change
    may_commit.set()
    held.result(WAIT_SECONDS)

    late = read(quick, early.position)
    assert names(late) == ["slow"]
    assert names(read(quick, replace(late.position, newest=early.position.settled))) == ["slow", "quick"]
    show_all(slow, "after")
    assert names(read(quick, late.position)) == ["after"]


@on_postgres
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_late_commits_of_several_transactions_come_in_pages_too(
    open_database: Callable[[], Database], limit: int
) -> None:
    slow, quick = open_database(), open_database()
    may_commit = Event()
    held: list[Future[None]] = []
    for name in ("s1", "s2", "s3"):
        has_number = Event()

        def hold(uow: UnitOfWork, name: str = name, has_number: Event = has_number) -> None:
            show(uow, a_copy(name))
            has_number.set()
            assert may_commit.wait(WAIT_SECONDS)

        held.append(slow.submit(hold))
        assert has_number.wait(WAIT_SECONDS)
        show_all(quick, f"q{name}")
    position: Position | None = read(quick).position
    may_commit.set()
    for each in held:
        each.result(WAIT_SECONDS)
    show_all(quick, "last")

    found: list[str] = []
    for _ in range(5):
        reading = read(quick, position, limit)
        found += names(reading)
        position = reading.position

    assert found == ["s1", "s2", "s3", "last"]


@on_postgres
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_know_what_was_pending_while_they_were_read(open_database: Callable[[], Database], limit: int) -> None:
    slow, quick = open_database(), open_database()
    show_all(quick, "1", "2")
    has_number, may_commit = Event(), Event()

    def hold(uow: UnitOfWork) -> None:
        show(uow, a_copy("slow"))
        has_number.set()
        assert may_commit.wait(WAIT_SECONDS)

    held = slow.submit(hold)
    assert has_number.wait(WAIT_SECONDS)
    show_all(quick, "3", "4", "5")

    found: list[str] = []
    position: Position | None = None
    for turn in range(9):
        if turn == 2:
            may_commit.set()
            held.result(WAIT_SECONDS)
        reading = read(quick, position, limit)
        found += names(reading)
        position = reading.position

    assert sorted(found) == ["1", "2", "3", "4", "5", "slow"]
