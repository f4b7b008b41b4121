"""How PostgreSQL finds accounts and entries of the audit log: by index, whatever it knew when it made its plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from common.store.accounts import SqlAccounts
from common.store.audit import SqlAudit
from common.store.session import Session
from common.sync.audit import AuditPosition
from tests.support.query_plans import PlanProbe
from tests.support.servers import PostgresServer
from tests.support.store_places import create_postgres_schema

pytestmark = pytest.mark.postgres

#: What is asked, and how many rows of the tables below it may look at.
QUESTIONS: dict[str, tuple[Callable[[Session], object], int]] = {
    "by key": (lambda session: SqlAccounts(session).find("key-17"), 1),
    "page of accounts": (lambda session: SqlAccounts(session).page_of_org("o1", after=("user", "key-5"), limit=20), 20),
    "first page": (lambda session: SqlAudit(session).page_of_org("o1", before=None, limit=20), 20),
    "later page": (lambda session: SqlAudit(session).page_of_org("o1", before=AuditPosition(9000, 1), limit=20), 20),
    "nothing old": (lambda session: SqlAudit(session).prune(0, 100), 0),
    "old": (lambda session: SqlAudit(session).prune(500, 100), 300),
}

_ROWS = """
    INSERT INTO accounts SELECT 'key-' || i, 'user', 'o' || i % 50, 'u', 'x', 0 FROM generate_series({0}, {1}) i;
    INSERT INTO audit (at_ms, org, principal, address, action, target, outcome)
        SELECT i, 'o' || i % 50, 'p', 'a', 'x', 't', 'done' FROM generate_series({0}, {1}) i
"""


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as url:
        create_postgres_schema(url)
        yield url


@pytest.mark.parametrize("is_analysed", [True, False])
def test_questions_look_at_what_they_are_about_even_by_plans_of_small_tables(url: str, is_analysed: bool) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_ROWS.format(1, 3) + "; ANALYZE accounts, audit")
        probe = PlanProbe(url)
        for question, _ in QUESTIONS.values():
            probe.scans(question)
        connection.execute(_ROWS.format(10, 20_000))
        if is_analysed:
            connection.execute("ANALYZE accounts, audit")

    looked_at = {name: probe.scans(question) for name, (question, _) in QUESTIONS.items()}
    probe.close()

    for name, scans in looked_at.items():
        assert all(scan.index or scan.node == "Bitmap Heap Scan" for scan in scans), (name, scans)
        assert sum(scan.rows for scan in scans if scan.relation) <= QUESTIONS[name][1], (name, scans)
