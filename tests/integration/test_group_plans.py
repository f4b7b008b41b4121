"""How PostgreSQL finds members, labels and what is addressed to groups: by index, whatever it knew when it made its plans."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from common.domain.ids import NodeKey
from common.domain.labels import LabelSource
from common.store.deliveries import SqlDeliveries
from common.store.group_deliveries import SqlGroupDeliveries
from common.store.groups import SqlGroups
from common.store.labels import SqlLabels
from common.store.nodes import SqlNodes
from common.sync.groups import Group
from tests.support.builders import an_opening, members_of
from tests.support.manual_clock import NOW_MS
from tests.support.query_plans import Questions, wasteful
from tests.support.servers import PostgresServer
from tests.support.store_places import create_postgres_schema

pytestmark = pytest.mark.postgres

N1, N2 = NodeKey("acme", "edge", "n1"), NodeKey("acme", "edge", "n2")
NODES = [N1, N2]

#: What is asked, and how many of the rows below it may look at.
QUESTIONS: Questions = {
    "labels of a node": (lambda session: SqlLabels(session).of_node(N1), 10),
    "labels of nodes": (lambda session: SqlLabels(session).of_nodes(NODES), 20),
    "label": (lambda session: SqlLabels(session).replace(N1, LabelSource.ADMIN, {"a": "1"}), 10),
    "group": (lambda session: SqlGroups(session).find("acme", "g1"), 2),
    "list of a group": (lambda session: SqlGroups(session).listed("acme", "g1"), 300),
    "lists of a node": (lambda session: SqlGroups(session).listing(N1), 20),
    "listed": (lambda session: SqlGroups(session).listed_among("acme", "g1", NODES), 50),
    "page of members": (lambda session: SqlGroups(session).members("acme", "g1", after=N1, limit=20), 40),
    "members": (lambda session: SqlGroups(session).members_among("acme", "g1", NODES), 50),
    "groups of a node": (lambda session: SqlGroups(session).of_node(N1), 20),
    "size": (lambda session: SqlGroups(session).count_members("acme", "g1"), 300),
    "define": (lambda session: SqlGroups(session).save(Group("acme", "g1"), NODES), 300),
    "join": (lambda session: SqlGroups(session).add_members("acme", "g1", NODES), 50),
    "leave": (lambda session: SqlGroups(session).remove_members("acme", "g1", NODES), 50),
    "nodes": (lambda session: SqlNodes(session).keys_of_org("acme", after=("edge", "n2"), limit=20), 20),
    "publish": (lambda session: SqlDeliveries(session).open_many([an_opening("new", members_of("g1"))]), 300),
    "joined": (lambda session: SqlGroupDeliveries(session).open_for_members("acme", "g1", NODES, NOW_MS), 300),
    "left": (lambda session: SqlGroupDeliveries(session).withdraw_from("acme", "g1", NODES, NOW_MS), 2500),
}

_TABLES = "node_labels, node_groups, group_lists, group_members, nodes, objects, deliveries, fan_outs"

_OBJECTS = """
    INSERT INTO objects (org, type, id, instance, status, is_own, is_deliverable, audience_kind, audience_type, audience_id,
            remaining_receivers, remaining_consumers, meta, has_no_data, is_public, is_policy_received, is_placed)
        SELECT 'acme', 'model', 'm' || i, i, 'ready', true, true, 'group', '@group', 'g' || i % 70, 1, 1, '{{}}', true, false,
            false, false FROM generate_series({first}, {last}) i;
    INSERT INTO deliveries (org, type, id, node_type, node_id, instance, state, attempts, message, was_sent)
        SELECT 'acme', 'model', 'm' || i, 'edge', 'n' || i % 100, i, 'delivered', 0, '', true
        FROM generate_series({first}, {last}) i;
"""

_GROUPS = """
    INSERT INTO nodes SELECT 'acme', 'edge', 'n' || i, 'http', '1', true, '', 0, 0 FROM generate_series({first}, {last}) i;
    INSERT INTO node_labels SELECT 'acme', 'edge', 'n' || i, 'admin', 'site', 'lab' FROM generate_series({first}, {last}) i;
    INSERT INTO node_groups SELECT 'acme', 'g' || i, NULL FROM generate_series({first}, {last}) i;
    INSERT INTO group_lists SELECT 'acme', 'g' || i % 70, 'edge', 'n' || i FROM generate_series({first}, {last}) i;
    INSERT INTO group_members SELECT 'acme', 'g' || i % 70, 'edge', 'n' || i FROM generate_series({first}, {last}) i;
"""


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as url:
        create_postgres_schema(url)
        yield url


@pytest.mark.parametrize("is_analysed", [True, False])
def test_questions_look_at_what_they_are_about_even_by_plans_of_small_tables(url: str, is_analysed: bool) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute((_GROUPS + _OBJECTS).format(first=1, last=3).encode())
        connection.execute(f"ANALYZE {_TABLES}".encode())

        def grow() -> None:
            connection.execute((_GROUPS + _OBJECTS).format(first=4, last=10_000).encode())
            if is_analysed:
                connection.execute(f"ANALYZE {_TABLES}".encode())

        assert wasteful(url, QUESTIONS, grow) == {}
