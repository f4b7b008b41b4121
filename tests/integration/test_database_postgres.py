"""The PostgreSQL database when servers, connections and other replicas get in the way."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from common.domain.errors import OutcomeUnknown, Unavailable
from common.store.migrate import create_all
from common.store.postgres import PostgresDatabase, open_postgres
from common.store.postgres_wakeups import _payloads_of, _topics_of
from common.sync.ports import UnitOfWork
from common.sync.wakeups import EVERYTHING
from tests.support.builders import a_node, an_object, object_key
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.servers import PostgresProcess, PostgresServer
from tests.support.store_places import Wakeups

WAIT_SECONDS = 10.0

Open = Callable[..., PostgresDatabase]


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as fresh:
        create_all(fresh)
        yield fresh


@pytest.fixture
def open_database(url: str) -> Iterator[Open]:
    """Opens a replica; `woken` collects what its own commits wake, `heard` what those of others do."""
    opened: list[PostgresDatabase] = []

    def open_one(woken: Wakeups | None = None, heard: Wakeups | None = None, pool_size: int = 8) -> PostgresDatabase:
        database = open_postgres(
            url,
            on_commit=woken or Wakeups(),
            on_remote=heard or Wakeups(),
            clock=ManualClock(),
            pool_size=pool_size,
        )
        opened.append(database)
        return database

    yield open_one
    for database in opened:
        database.close()


def saving(node_id: str) -> Callable[[UnitOfWork], None]:
    return lambda uow: uow.nodes.save(a_node(node_id))


def count_nodes(uow: UnitOfWork) -> int:
    return uow.nodes.count()


def terminate_backends(url: str) -> None:
    """As a restart of the server or a cut of the network does, for every connection to this database."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_connections_that_were_cut_while_idle_fail_nobody(open_database: Open, url: str) -> None:
    database = open_database()
    database.write(saving("a"))
    terminate_backends(url)

    database.write(saving("b"))
    terminate_backends(url)

    assert database.read(count_nodes) == 2


def test_a_connection_cut_at_work_is_unavailable_and_leaves_nothing(open_database: Open, url: str) -> None:
    database = open_database(pool_size=1)
    attempts: list[int] = []

    def cut_off(uow: UnitOfWork) -> None:
        attempts.append(1)
        saving("a")(uow)
        terminate_backends(url)
        saving("b")(uow)

    with pytest.raises(Unavailable):
        # The first attempt may run on a connection that lay idle, and is then repeated on a new one.
        database.write(cut_off)

    assert len(attempts) <= 2
    assert database.read(count_nodes) == 0


def test_a_commit_of_unknown_outcome_is_not_repeated(open_database: Open, url: str) -> None:
    database = open_database(pool_size=1)
    attempts: list[int] = []

    def cut_off_at_the_end(uow: UnitOfWork) -> None:
        attempts.append(1)
        saving(f"n{len(attempts)}")(uow)
        terminate_backends(url)

    with pytest.raises(OutcomeUnknown):
        database.write(cut_off_at_the_end)

    assert len(attempts) == 1


def test_a_server_that_restarts_is_unavailable_until_it_is_back() -> None:
    with stoppable_postgres() as (url, stop, start):
        create_all(url)
        with closing(open_postgres(url, on_commit=Wakeups(), clock=ManualClock())) as database:
            database.write(saving("a"))
            stop()
            with pytest.raises(Unavailable):
                database.write(saving("b"))
            start()

            database.write(saving("c"))
            assert database.read(count_nodes) == 2


@contextmanager
def stoppable_postgres() -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    process = PostgresProcess()
    try:
        process.start()
        yield process.url, process.stop, process.start
    finally:
        process.remove()


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        open_postgres("postgresql://nobody@127.0.0.1:1/nothing", on_commit=Wakeups(), clock=ManualClock())


def test_after_closing_nothing_is_taken_in(open_database: Open) -> None:
    database = open_database()
    database.close()

    assert isinstance(database.submit(count_nodes).exception(WAIT_SECONDS), Unavailable)
    with pytest.raises(Unavailable):
        database.write(count_nodes)


def test_every_connection_commits_durably_whatever_the_database_says(open_database: Open, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    database = open_database()

    with database._pool.connection() as (connection, _):
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_replicas_hear_what_others_wake_and_not_themselves(open_database: Open) -> None:
    heard_by_first, heard_by_second = Wakeups(), Wakeups()
    first = open_database(heard=heard_by_first)
    second = open_database(heard=heard_by_second)
    wait_until_listening(first, second)

    first.write(lambda uow: uow.wake("node:acme/edge/n1"))
    second.write(lambda uow: uow.wake("node:acme/edge/n2"))

    assert heard_by_second.wait_for("node:acme/edge/n1") == {"node:acme/edge/n1"}
    assert heard_by_first.wait_for("node:acme/edge/n2") == {"node:acme/edge/n2"}


def test_many_topics_at_once_arrive(open_database: Open) -> None:
    heard = Wakeups()
    speaker, listener = open_database(), open_database(heard=heard)
    wait_until_listening(speaker, listener)
    topics = [f"node:acme/edge/{number:04}" for number in range(1_000)]

    speaker.write(lambda uow: uow.wake(*topics, "zz"))

    assert heard.wait_for("zz") >= set(topics)


def test_a_listener_that_was_cut_off_is_told_that_everything_may_have_happened(open_database: Open, url: str) -> None:
    heard = Wakeups()
    speaker, listener = open_database(), open_database(heard=heard)
    wait_until_listening(speaker, listener)

    terminate_backends(url)
    heard.wait_for(EVERYTHING)

    wait_until_listening(speaker, listener)
    speaker.write(lambda uow: uow.wake("afterwards"))
    heard.wait_for("afterwards")


def wait_until_listening(*databases: PostgresDatabase) -> None:
    """Wake-ups of a replica that is still connecting are lost, as promised; a test has to wait."""
    with databases[0]._pool._connect() as connection:
        for _ in range(1000):
            listening = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
                " AND state = 'idle'"
            ).fetchone()
            if listening is not None and listening[0] >= len(databases):
                return
            threading.Event().wait(0.01)
    pytest.fail("nobody listens")


def test_topics_are_split_into_messages_that_fit() -> None:
    topics = {f"node:acme/édge/{number:04}" for number in range(1_500)}
    payloads = list(_payloads_of(topics))

    assert max(len(payload.encode()) for payload in payloads) < 8_000
    assert {topic for payload in payloads for topic in _topics_of(payload)} == topics


@pytest.mark.parametrize("topics", [{"x" * 9_000}, {f"{number:030}" for number in range(10_000)}], ids=["long", "many"])
def test_topics_beyond_what_messages_carry_become_everything(topics: set[str]) -> None:
    assert [_topics_of(payload) for payload in _payloads_of(topics)] == [[EVERYTHING]]


def test_no_topics_make_no_message() -> None:
    assert list(_payloads_of(set())) == []


def test_of_two_first_versions_published_at_once_the_newer_one_stands(open_database: Open) -> None:
    database = open_database()
    has_looked, may_go_on = threading.Event(), threading.Event()
    attempts: list[int] = []

    def slow(uow: UnitOfWork) -> int:
        attempts.append(1)
        key = object_key("o1")
        uow.objects.find_many([key])
        instance = uow.next_instances(1)[0]
        has_looked.set()
        assert may_go_on.wait(WAIT_SECONDS)
        uow.objects.save_many([an_object(key, instance=instance)])
        return instance

    def quick(uow: UnitOfWork) -> int:
        uow.objects.find_many([object_key("o1")])
        instance = uow.next_instances(1)[0]
        uow.objects.save_many([an_object("o1", instance=instance)])
        return instance

    late = database.submit(slow)
    assert has_looked.wait(WAIT_SECONDS)
    first = database.write(quick)
    may_go_on.set()

    assert late.result(WAIT_SECONDS) > first
    assert len(attempts) == 2
    assert database.read(lambda uow: uow.objects.get(object_key("o1"))).instance == late.result()


def test_transactions_that_lock_each_other_out_are_repeated(open_database: Open) -> None:
    database = open_database()
    database.write(lambda uow: uow.objects.save_many([an_object("a"), an_object("b")]))
    both_hold_one = threading.Barrier(2)
    attempts: list[int] = []

    def locking(first: str, second: str) -> Callable[[UnitOfWork], None]:
        def work(uow: UnitOfWork) -> None:
            is_first_attempt = len(attempts) < 2
            attempts.append(1)
            uow.objects.find(object_key(first), lock=True)
            if is_first_attempt:
                both_hold_one.wait(WAIT_SECONDS)
            uow.objects.find(object_key(second), lock=True)

        return work

    futures = [database.submit(locking("a", "b")), database.submit(locking("b", "a"))]

    assert [future.result(WAIT_SECONDS) for future in futures] == [None, None]
    assert len(attempts) == 3


def test_numbers_of_replicas_that_start_while_others_draw_are_drawn_once(open_database: Open) -> None:
    first = open_database()
    drawn: list[int] = []
    stop = threading.Event()

    def draw() -> None:
        while not stop.is_set():
            drawn.extend(first.write(lambda uow: uow.next_instances(5_000)))

    drawer = threading.Thread(target=draw)
    drawer.start()
    for _ in range(5):
        drawn.extend(open_database().write(lambda uow: uow.next_instances(3)))
    stop.set()
    drawer.join()

    assert len(set(drawn)) == len(drawn)
    assert min(drawn) > NOW_MS * 1_000_000
