"""Group commit: what shares a commit, what a failure takes with it, and when anybody hears of it."""

import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from common.domain.addressing import audience_of
from common.domain.errors import NotFound, Unavailable
from common.store.migrate import create_all
from common.store.sqlite import SqliteDatabase, open_sqlite
from common.store.sqlite_changes import SqliteChanges
from common.store.sqlite_session import SqliteSession, open_writing
from common.store.sqlite_writer import SqliteWriter
from common.store.unit_of_work import SqlUnitOfWork, no_instances
from common.sync.ports import UnitOfWork
from tests.support.builders import a_node
from tests.support.manual_clock import ManualClock

WAIT_SECONDS = 10.0


class Commits:
    """The topics of each commit, one entry per commit that woke somebody."""

    def __init__(self) -> None:
        self.topics: list[frozenset[str]] = []

    def __call__(self, topics: frozenset[str]) -> None:
        self.topics.append(topics)


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_all(tmp_path / "sync.db")
    return tmp_path / "sync.db"


@pytest.fixture
def database(path: Path, commits: Commits) -> Iterator[SqliteDatabase]:
    opened = open_sqlite(path, on_commit=commits, clock=ManualClock())
    yield opened
    opened.close()


def saving(node_id: str) -> Callable[[UnitOfWork], str]:
    def work(uow: UnitOfWork) -> str:
        uow.nodes.save(a_node(node_id))
        uow.wake(node_id)
        return node_id

    return work


def failing(node_id: str) -> Callable[[UnitOfWork], str]:
    def work(uow: UnitOfWork) -> str:
        saving(node_id)(uow)
        raise NotFound

    return work


@contextmanager
def occupied(submit: Callable[[Callable[[UnitOfWork], None]], Future[None]]) -> Iterator[None]:
    """Whatever is submitted meanwhile queues up behind one use case, and so shares the commit after it."""
    is_running, may_end = threading.Event(), threading.Event()

    def occupy(_: UnitOfWork) -> None:
        is_running.set()
        assert may_end.wait(WAIT_SECONDS)

    submit(occupy)
    assert is_running.wait(WAIT_SECONDS)
    yield
    may_end.set()


def submitted_together(database: SqliteDatabase, *works: Callable[[UnitOfWork], str]) -> list[Future[str]]:
    with occupied(database.submit):
        return [database.submit(work) for work in works]


def stored_nodes(path: Path) -> set[str]:
    """What somebody else sees in the file."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as other:
        return {row[0] for row in other.execute("SELECT id FROM nodes")}


def test_a_failing_use_case_leaves_those_that_share_its_commit_alone(database: SqliteDatabase, path: Path) -> None:
    first, failed, last = submitted_together(database, saving("a"), failing("b"), saving("c"))

    assert (first.result(WAIT_SECONDS), last.result(WAIT_SECONDS)) == ("a", "c")
    assert isinstance(failed.exception(WAIT_SECONDS), NotFound)
    assert stored_nodes(path) == {"a", "c"}


def test_use_cases_that_queued_up_share_one_commit(database: SqliteDatabase, commits: Commits) -> None:
    for future in submitted_together(database, saving("a"), failing("b"), saving("c")):
        future.exception(WAIT_SECONDS)
    database.close()

    assert commits.topics == [frozenset({"a", "c"})]


def test_whoever_is_answered_finds_it_committed(database: SqliteDatabase, path: Path) -> None:
    seen: list[set[str]] = []
    futures = submitted_together(database, saving("a"), saving("b"))
    for future in futures:
        future.add_done_callback(lambda _: seen.append(stored_nodes(path)))
    for future in futures:
        future.result(WAIT_SECONDS)
    database.close()

    assert seen == [{"a", "b"}, {"a", "b"}]


def test_a_use_case_that_fails_alone_wakes_nobody(database: SqliteDatabase, path: Path, commits: Commits) -> None:
    with pytest.raises(NotFound):
        database.write(failing("a"))

    assert database.write(saving("b")) == "b"
    database.close()
    assert stored_nodes(path) == {"b"}
    assert commits.topics == [frozenset({"b"})]


def test_a_cancelled_use_case_does_not_run(database: SqliteDatabase, path: Path) -> None:
    with occupied(database.submit):
        cancelled, kept = database.submit(saving("a")), database.submit(saving("b"))
        cancelled.cancel()

    assert kept.result(WAIT_SECONDS) == "b"
    assert cancelled.cancelled()
    assert stored_nodes(path) == {"b"}


def test_wake_ups_that_fail_fail_nobody_else(path: Path) -> None:
    def refuse(_: frozenset[str]) -> None:
        raise RuntimeError("nobody listens")

    database = open_sqlite(path, on_commit=refuse, clock=ManualClock())

    assert [database.write(saving(node)) for node in ("a", "b")] == ["a", "b"]
    database.close()


def test_after_closing_nothing_is_taken_in(database: SqliteDatabase) -> None:
    database.close()

    assert isinstance(database.submit(saving("a")).exception(WAIT_SECONDS), Unavailable)
    with pytest.raises(Unavailable):
        database.read(lambda uow: uow.nodes.count())


def test_a_write_that_finds_no_room_fails_alone(path: Path, commits: Commits) -> None:
    connection = open_writing(path)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    session = SqliteSession(connection)
    unit = SqlUnitOfWork(session, audience_of, SqliteChanges(session), no_instances)
    writer = SqliteWriter(connection, lambda: unit, commits)

    with occupied(writer.submit):
        small = writer.submit(saving("a"))
        too_much = writer.submit(lambda uow: uow.payloads.save_small_many([("p", bytes(1_000_000))]))

    assert isinstance(too_much.exception(WAIT_SECONDS), Unavailable)
    assert small.result(WAIT_SECONDS) == "a"
    writer.close()
    assert stored_nodes(path) == {"a"}


def test_whoever_shares_a_transaction_that_was_lost_gets_one_of_his_own(path: Path, commits: Commits) -> None:
    connection = open_writing(path)
    connection.execute(
        "CREATE TEMP TRIGGER as_on_a_broken_disk BEFORE INSERT ON main.nodes WHEN NEW.id = 'b' "
        "BEGIN SELECT RAISE(ROLLBACK, 'lost'); END"
    )
    session = SqliteSession(connection)
    unit = SqlUnitOfWork(session, audience_of, SqliteChanges(session), no_instances)
    writer = SqliteWriter(connection, lambda: unit, commits)

    with occupied(writer.submit):
        before, culprit, after = [writer.submit(saving(node)) for node in "abc"]

    assert (before.result(WAIT_SECONDS), after.result(WAIT_SECONDS)) == ("a", "c")
    assert culprit.exception(WAIT_SECONDS) is not None
    assert writer.submit(saving("d")).result(WAIT_SECONDS) == "d"
    writer.close()
    assert stored_nodes(path) == {"a", "c", "d"}


def test_a_commit_that_fails_fails_everybody_in_it_and_nobody_after_it(
    database: SqliteDatabase, path: Path, commits: Commits, caplog: pytest.LogCaptureFixture
) -> None:
    with no_file_may_grow():
        futures = submitted_together(database, saving("a"), saving("b"))
        errors = [future.exception(WAIT_SECONDS) for future in futures]

    assert [type(error) for error in errors] == [Unavailable, Unavailable]
    assert commits.topics == []
    (logged,) = [record for record in caplog.records if record.message == "commit_failed"]
    assert "disk I/O error" in logged.fields["error"]  # type: ignore[attr-defined]
    assert not logged.exc_info, "nobody has to read a trace to learn that the disk fails"
    assert stored_nodes(path) == set()
    assert database.write(saving("c")) == "c"
    assert stored_nodes(path) == {"c"}


@contextmanager
def no_file_may_grow() -> Iterator[None]:
    """As on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
