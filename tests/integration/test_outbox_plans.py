"""How PostgreSQL finds objects and deliveries by their keys: by index, whatever it knew when it made its plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from common.domain.addressing import Audience, AudienceKind, audience_of
from common.domain.ids import NodeKey, ObjectKey
from common.store.deliveries import SqlDeliveries
from common.store.fan_outs import SqlFanOuts
from common.store.nodes import SqlNodes
from common.store.objects import SqlObjects
from common.store.policy_terms import remove_terms
from common.store.session import Session
from common.store.usage import SqlUsage
from tests.support.builders import an_opening
from tests.support.manual_clock import NOW_MS
from tests.support.query_plans import PlanProbe
from tests.support.servers import PostgresServer
from tests.support.store_places import create_postgres_schema

pytestmark = pytest.mark.postgres

KEYS = [ObjectKey("acme", "model", f"m{number}") for number in range(1, 4)]
NODES = [NodeKey("acme", "edge", f"n{number}") for number in range(1, 4)]
PLACED = Audience("acme", AudienceKind.PLACED)

#: What is asked, and how many of the rows below it may look at.
QUESTIONS: dict[str, tuple[Callable[[Session], object], int]] = {
    "objects": (lambda session: SqlObjects(session, audience_of, SqlUsage(session)).find_many(KEYS), 10),
    "deliveries": (lambda session: SqlDeliveries(session).find_many(list(zip(KEYS, NODES, strict=True))), 10),
    "withdraw": (lambda session: SqlDeliveries(session).withdraw_nodes(KEYS[0], NODES, NOW_MS), 20),
    "claim": (lambda session: SqlDeliveries(session).claim_due(NODES[0], NOW_MS, 3), 10),
    "renew": (
        lambda session: SqlDeliveries(session).open_many([an_opening(key.id, PLACED) for key in KEYS]),
        20,
    ),
    "release": (lambda session: SqlDeliveries(session).release(KEYS[0], NOW_MS), 5),
    "existing": (lambda session: SqlNodes(session).existing(NODES), 10),
    "locked": (lambda session: SqlNodes(session).find(NODES[0], lock=True), 2),
    "fan-outs": (lambda session: SqlFanOuts(session).hold_of_org("acme"), 5),
    "terms": (lambda session: remove_terms(session, KEYS), 10),
}

_TABLES = "nodes, objects, deliveries, fan_outs, policy_terms, object_targets"

_ROWS = """
    INSERT INTO objects (org, type, id, instance, status, is_own, is_deliverable, audience_kind, audience_type, audience_id,
            remaining_receivers, remaining_consumers, meta, has_no_data, is_public, is_policy_received, is_placed)
        SELECT 'acme', 'model', 'm' || i, i, 'ready', true, true, 'node', 'edge', 'n' || i, 1, 1, '{{}}', true, false,
            false, false FROM generate_series({first}, {last}) i;
    INSERT INTO deliveries (org, type, id, node_type, node_id, instance, state, due_at_ms, attempts, message, was_sent)
        SELECT 'acme', 'model', 'm' || i, 'edge', 'n' || i, i, 'pending', 0, 0, '', true
        FROM generate_series({first}, {last}) i;
    INSERT INTO nodes SELECT 'acme', 'edge', 'n' || i, 'http', '1', true, '', 0, 0 FROM generate_series({first}, {last}) i;
    INSERT INTO policy_terms SELECT 'acme', 'model', 'm' || i, 'term' FROM generate_series({first}, {last}) i;
"""


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as url:
        create_postgres_schema(url)
        yield url


@pytest.mark.parametrize("first_rows", [0, 3])
@pytest.mark.parametrize("is_analysed", [True, False])
def test_look_ups_by_key_stay_look_ups_by_plans_of_small_tables(url: str, is_analysed: bool, first_rows: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        if first_rows:
            connection.execute(_ROWS.format(first=1, last=first_rows).encode())
        if is_analysed:
            connection.execute(f"VACUUM ANALYZE {_TABLES}".encode())
        probe = PlanProbe(url)
        for question, _ in QUESTIONS.values():
            probe.scans(question)
        connection.execute(_ROWS.format(first=first_rows + 1, last=10_000).encode())

    looked_at = {name: probe.scans(question) for name, (question, _) in QUESTIONS.items()}
    probe.close()

    wasteful = {
        name: scans
        for name, scans in looked_at.items()
        if sum(scan.rows for scan in scans if scan.relation) > QUESTIONS[name][1]
    }
    assert wasteful == {}
