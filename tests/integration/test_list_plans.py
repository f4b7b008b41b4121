"""No list reads a table from end to end, and what one page costs depends on what it asks for, not on what there is.

PostgreSQL decides by its statistics. They are wrong for a while after a table has grown, and plans are kept: both are
part of the promise.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from common.domain.ids import ObjectKey
from common.domain.metadata import Policy, PolicyProperty, ServiceId
from common.domain.objects import ObjectStatus, SyncObject
from common.domain.selection import START, ListPosition, PolicyService, Selection
from common.store.migrate import create_all
from common.store.object_lists import SqlObjectLists
from common.store.postgres import open_postgres
from common.store.session import Session
from common.store.sqlite import open_sqlite
from common.store.sqlite_session import open_reading
from common.sync.ports import Database
from tests.support.builders import ORG, a_delivery, an_object, object_key
from tests.support.manual_clock import ManualClock
from tests.support.query_plans import DescribingSession, PlanProbe
from tests.support.servers import PostgresServer

FEW, MANY = 20, 10_000
PAGE = 100
RARE = PolicyService("vendor", "rare")
EXPIRATION, EXPIRATION_MS = "2031-01-01T00:00:00Z", 1_924_992_000_000
SHOWN = frozenset({ObjectStatus.COMPLETELY_RECEIVED, ObjectStatus.DELETED})


@dataclass(frozen=True)
class Question:
    """A page of a list. `index` is what finds the objects; None: whichever holds the organization together."""

    selection: Selection
    index: str | None
    #: Rows looked at for one page, on whichever plan.
    rows: int = 3 * PAGE


QUESTIONS = {
    "everything": Question(Selection(ORG), None),
    "of a type": Question(Selection(ORG, "t3"), None),
    "one object": Question(Selection(ORG, "t3", "o3"), None, 1),
    "updated": Question(Selection(ORG, "t5", statuses=SHOWN), "ix_objects_status"),
    "public": Question(Selection(ORG, is_public=True), "ix_objects_public"),
    "public, of a type": Question(Selection(ORG, "t3", is_public=True), "ix_objects_public"),
    "with a policy": Question(Selection(ORG, has_policy=True, is_deleted=False), "ix_objects_policy"),
    "policy news": Question(Selection(ORG, has_policy=True, is_policy_news=True), "ix_objects_policy_news"),
    # All that have changed since: the newest first would be another list.
    "policies since": Question(Selection(ORG, has_policy=True, policy_since=MANY - 100), "ix_objects_policy_time"),
    "a service": Question(Selection(ORG, has_policy=True, policy_service=RARE), "ix_policy_terms_term"),
    "a property": Question(Selection(ORG, has_policy=True, policy_property="rare"), "ix_policy_terms_term"),
    "both": Question(
        Selection(ORG, has_policy=True, policy_property="rare", policy_service=RARE), "ix_policy_terms_term"
    ),
    "a node": Question(Selection(ORG, destination_type="edge", destination_id="n7"), "ix_objects_destination"),
    "a node of a list": Question(
        Selection(ORG, destination_type="edge", destination_id="listed"), "ix_object_targets_node"
    ),
    "no node": Question(Selection(ORG, destination_type="edge", destination_id="none"), "ix_objects_destination", 0),
    "deleted": Question(Selection(ORG, is_deleted=True), "ix_objects_status"),
    "expiring": Question(Selection(ORG, expires_by_ms=EXPIRATION_MS), "ix_objects_expiry"),
    # What most objects have or lack has no index of its own: a page is found among those that come first.
    "without a policy": Question(Selection(ORG, has_policy=False), None),
    "with data": Question(Selection(ORG, has_no_data=False), None),
    "a node type": Question(Selection(ORG, destination_type="edge"), None, 4 * PAGE),
    # What few have is then looked for among all, once.
    "without data": Question(Selection(ORG, has_no_data=True), None, 2 * MANY + 2 * PAGE),
    "no such node type": Question(Selection(ORG, destination_type="none"), None, 2 * MANY),
}


def population(count: int, first: int = 0) -> Iterator[SyncObject]:
    """Objects of which few have any of what can be asked for."""
    for number in range(first, first + count):
        meta: dict[str, Any] = {"destination_type": "edge", "destination_id": f"n{number % 1000}"}
        status = {4: ObjectStatus.DELETED, 5: ObjectStatus.COMPLETELY_RECEIVED}.get(number % 500, ObjectStatus.READY)
        if number % 20 == 0:
            service = ServiceId("vendor", "*", "rare" if number % 1000 == 0 else "common", "1.0.0")
            name = PolicyProperty("rare" if number % 500 == 0 else "common")
            meta = {"destination_policy": Policy([name], services=[service], timestamp=number + 1)}
        elif number % 20 == 1:
            meta = {"destinations_list": ["edge:listed" if number % 500 == 1 else "edge:other", f"edge:n{number}"]}
        meta |= {"expiration": EXPIRATION} if number % 200 == 2 else {}
        item = an_object(
            object_key(f"o{number}", f"t{number % 10}"),
            status,
            is_own=status is not ObjectStatus.COMPLETELY_RECEIVED,
            public=number % 300 == 3,
            no_data=number % 100 == 6,
            **meta,
        )
        yield dataclasses.replace(item, is_policy_received=number % 400 != 0)


def fill(database: Database, count: int, first: int = 0) -> None:
    for start in range(first, first + count, 1000):
        items = list(population(min(1000, first + count - start), start))
        database.write(lambda uow, items=items: uow.objects.save_many(items))  # type: ignore[misc]
        pairs = [a_delivery(item.key, f"n{number}") for item in items for number in range(3)]
        database.write(lambda uow, pairs=pairs: uow.deliveries.save_many(pairs))  # type: ignore[misc]


def ask_everything(probe: PlanProbe) -> None:
    for question in QUESTIONS.values():
        probe.scans(page_of(question.selection))
    for other in OTHERS.values():
        probe.scans(other)


def page_of(selection: Selection) -> Callable[[Session], object]:
    return lambda session: SqlObjectLists(session).page(selection, START, PAGE)


KEYS = [ObjectKey(ORG, f"t{number % 10}", f"o{number}") for number in range(PAGE)]
#: Rows looked at depend on the types there are, and on the keys that are asked for.
OTHERS: dict[str, Callable[[Session], object]] = {
    "types": lambda session: SqlObjectLists(session).types(ORG, "", PAGE, is_public=False),
    "public types": lambda session: SqlObjectLists(session).types(ORG, "", PAGE, is_public=True),
    "destinations": lambda session: SqlObjectLists(session).destinations(KEYS),
    "fan-outs": lambda session: SqlObjectLists(session).being_fanned_out(KEYS),
}


@pytest.fixture(scope="module", params=["statistics and plans of a small table", "statistics of the table as it is"])
def probe(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[PlanProbe]:
    with postgres_server.database() as url:
        create_all(url)
        with (
            closing(open_postgres(url, on_commit=lambda topics: None, clock=ManualClock())) as database,
            closing(PlanProbe(url)) as probe,
        ):
            fill(database, FEW)
            execute(url, "VACUUM ANALYZE")
            ask_everything(probe)
            fill(database, MANY - FEW, FEW)
            if request.param == "statistics of the table as it is":
                execute(url, "VACUUM ANALYZE")
            yield probe


def execute(url: str, command: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(command.encode())


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_page_of_a_list_looks_at_what_it_is_about(probe: PlanProbe, name: str) -> None:
    question = QUESTIONS[name]

    scans = probe.scans(page_of(question.selection))

    assert all(scan.index or scan.node == "Bitmap Heap Scan" for scan in scans), scans
    assert sum(scan.rows for scan in scans) <= question.rows, scans
    if question.index is not None and question.rows:
        assert question.index in {scan.index for scan in scans}, scans


@pytest.mark.parametrize("name", OTHERS)
def test_what_goes_with_a_page_is_looked_up_by_index(probe: PlanProbe, name: str) -> None:
    scans = [scan for scan in probe.scans(OTHERS[name]) if scan.node != "Function Scan"]

    assert all(scan.index for scan in scans), scans
    assert sum(scan.rows for scan in scans) <= 5 * PAGE, scans


def test_the_last_page_costs_no_more_than_the_first(probe: PlanProbe) -> None:
    after = ListPosition("t9", "o9")
    for selection in (Selection(ORG), Selection(ORG, "t9"), Selection(ORG, has_policy=True)):
        scans = probe.scans(lambda session, wanted=selection: SqlObjectLists(session).page(wanted, after, PAGE))  # type: ignore[misc]

        assert all(scan.index for scan in scans), scans
        assert sum(scan.rows for scan in scans) <= 2 * PAGE, scans


#: Where SQLite, which keeps no statistics here, goes through the organization in the order of the list instead.
IN_ORDER_ON_SQLITE = {"policies since": "ix_objects_policy", "expiring": None}


@pytest.fixture(scope="module")
def sqlite_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plans") / "sync.db"
    create_all(path)
    with closing(open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock())) as database:
        fill(database, 1000)
    return path


@pytest.mark.parametrize("name", [name for name in QUESTIONS if name != "one object"])
def test_sqlite_finds_them_by_the_same_indexes(sqlite_path: Path, name: str) -> None:
    question = QUESTIONS[name]
    with closing(open_reading(sqlite_path)) as connection:
        session = DescribingSession(connection)
        SqlObjectLists(session).page(question.selection, START, PAGE)

    through_objects = [step for step in session.steps if step.startswith(("SCAN objects", "SEARCH objects"))]
    assert through_objects
    assert all("USING INDEX" in step and "org=?" in step for step in through_objects), session.steps
    index = IN_ORDER_ON_SQLITE.get(name, question.index)
    assert index is None or any(index in step for step in session.steps), session.steps
