"""What came to be shown is found by its number, however much is shown or has been."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from common.domain.objects import ObjectStatus, SyncObject
from common.store.changes import SqlChanges
from common.store.migrate import create_all
from common.store.postgres import open_postgres
from common.store.session import Session
from common.store.sqlite import open_sqlite
from common.store.sqlite_session import open_reading
from common.sync.ports import Database
from tests.support.builders import ORG, an_object, object_key
from tests.support.manual_clock import ManualClock
from tests.support.query_plans import DescribingSession, PlanProbe
from tests.support.servers import PostgresServer

FEW, MANY = 20, 6_000
PAGE = 100
SHOWN = {1: ObjectStatus.COMPLETELY_RECEIVED, 2: ObjectStatus.DELETED, 3: ObjectStatus.RECEIVED}

#: What is asked, and how many rows of objects it may look at.
QUESTIONS: dict[str, tuple[Callable[[Session], object], int]] = {
    "everything": (lambda session: after(session, 0), 2 * PAGE),
    "everything and what was received": (lambda session: after(session, 0, with_received=True), PAGE),
    "the latest": (lambda session: after(session, MANY - 50), 50),
    "nothing new": (lambda session: after(session, MANY), 0),
    "one number": (lambda session: SqlChanges(session).list_numbered(ORG, "t1", [41]), 1),
    "some numbers": (lambda session: SqlChanges(session).list_numbered(ORG, "t1", [41, 42, 51]), 3),
}


def after(session: Session, change: int, *, with_received: bool = False) -> object:
    return SqlChanges(session).list_after(ORG, "t1", change, PAGE, with_received=with_received)


def population(count: int, first: int) -> Iterator[SyncObject]:
    """Three of five objects have come to be shown, each with a number of its own."""
    for number in range(first, first + count):
        status = SHOWN.get(number % 5, ObjectStatus.PARTIALLY_RECEIVED)
        item = an_object(object_key(f"o{number}", f"t{number % 10}"), status, is_own=False)
        yield replace(item, change=number if number % 5 in SHOWN else 0)


def fill(database: Database, count: int, first: int = 1) -> None:
    for start in range(first, first + count, 1000):
        items = list(population(min(1000, first + count - start), start))
        database.write(lambda uow, items=items: uow.objects.save_many(items))  # type: ignore[misc]


@pytest.fixture(scope="module", params=["statistics and plans of a small table", "statistics of the table as it is"])
def probe(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[PlanProbe]:
    with postgres_server.database() as url:
        create_all(url)
        with (
            closing(open_postgres(url, on_commit=lambda topics: None, clock=ManualClock())) as database,
            closing(PlanProbe(url)) as probe,
        ):
            fill(database, FEW)
            analyse(url)
            for question, _ in QUESTIONS.values():
                probe.scans(question)
            fill(database, MANY - FEW, FEW + 1)
            if request.param == "statistics of the table as it is":
                analyse(url)
            yield probe


def analyse(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


@pytest.mark.parametrize("name", QUESTIONS)
def test_changes_are_found_by_their_numbers(probe: PlanProbe, name: str) -> None:
    question, most_rows = QUESTIONS[name]

    scans = [scan for scan in probe.scans(question) if scan.node != "Function Scan"]

    assert {scan.index for scan in scans} == {"ix_objects_change"}, scans
    assert sum(scan.rows for scan in scans) <= most_rows, scans


def test_sqlite_finds_them_by_the_same_index(tmp_path: Path) -> None:
    path = tmp_path / "sync.db"
    create_all(path)
    with closing(open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock())) as database:
        fill(database, 200)
    with closing(open_reading(path)) as connection:
        session = DescribingSession(connection)
        for question, _ in QUESTIONS.values():
            question(session)

    assert session.steps
    assert all("USING INDEX ix_objects_change (org=? AND type=? AND change" in each for each in session.steps)
