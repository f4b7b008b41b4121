"""How PostgreSQL finds what an organization keeps: by index, whatever it knew when it made its plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from common.domain.quotas import Usage
from common.store.session import Session
from common.store.usage import SqlUsage
from common.sync.quota_ports import Drift
from tests.support.query_plans import PlanProbe
from tests.support.servers import PostgresServer
from tests.support.store_places import create_postgres_schema

pytestmark = pytest.mark.postgres


def _add(session: Session) -> None:
    usage = SqlUsage(session)
    usage.removed("org7", [5])
    usage.flush()


#: What is asked, and how many of the rows below it may look at.
QUESTIONS: dict[str, tuple[Callable[[Session], object], int]] = {
    "add": (_add, 2),
    "sum": (lambda session: SqlUsage(session).of_org("org7"), 8),
    "count": (lambda session: SqlUsage(session).drift("org7"), 20),
    "next": (lambda session: SqlUsage(session).next_org("org7"), 2),
    "correct": (lambda session: SqlUsage(session).correct("org7", Drift(Usage(1, 1), 0)), 2),
}

_ROWS = """
    INSERT INTO objects (org, type, id, instance, status, is_own, is_deliverable, remaining_receivers,
            remaining_consumers, meta, has_no_data, is_public, is_policy_received, is_placed, payload_size)
        SELECT 'org' || i, 'model', 'm' || i, i, 'ready', true, true, 1, 1, '{{}}', true, false, false, false, 5
        FROM generate_series({first}, {last}) i;
    INSERT INTO org_usage SELECT 'org' || i, shard, 1, 5, 0
        FROM generate_series({first}, {last}) i, generate_series(0, 7) shard;
"""


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as url:
        create_postgres_schema(url)
        yield url


@pytest.mark.parametrize("is_analysed", [True, False])
def test_usage_is_found_by_index_with_plans_of_small_tables(url: str, is_analysed: bool) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_ROWS.format(first=1, last=3).encode())
        if is_analysed:
            connection.execute("VACUUM ANALYZE objects, org_usage")
        probe = PlanProbe(url)
        for question, _ in QUESTIONS.values():
            probe.scans(question)
        connection.execute(_ROWS.format(first=4, last=10_000).encode())

    looked_at = {name: probe.scans(question) for name, (question, _) in QUESTIONS.items()}
    probe.close()

    wasteful = {
        name: scans
        for name, scans in looked_at.items()
        if sum(scan.rows for scan in scans if scan.relation) > QUESTIONS[name][1]
    }
    assert wasteful == {}
