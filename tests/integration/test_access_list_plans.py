"""How PostgreSQL finds out what access lists say: by index, whatever it knew about the tables when it made its plans."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from common.domain.access_lists import Grantee, ListKind, UserType
from common.domain.ids import NodeKey
from common.store.access_lists import SqlAccessLists
from common.store.deliveries import SqlDeliveries
from common.store.nodes import SqlNodes
from common.sync.access_lists import AccessList
from tests.support.query_plans import Questions, wasteful
from tests.support.servers import PostgresServer
from tests.support.store_places import create_postgres_schema

pytestmark = pytest.mark.postgres

ANN = Grantee("acme", UserType.USER, "u1")
MODELS = AccessList("acme", ListKind.OBJECTS, "k1")
NODE = NodeKey("acme", "edge", "n1")

#: What is asked while requests wait, and how many of the rows below it may look at.
QUESTIONS: Questions = {
    "may write": (lambda session: SqlAccessLists(session).grants(ANN, "k1", ["edge", "camera"]), 20),
    "may see": (lambda session: SqlAccessLists(session).object_grants(ANN), 20),
    "entries": (lambda session: SqlAccessLists(session).list_entries(MODELS, None), 500),
    "entries of a type": (lambda session: SqlAccessLists(session).list_entries(MODELS, UserType.USER), 500),
    "keys": (lambda session: SqlAccessLists(session).list_keys("acme", ListKind.OBJECTS), 2500),
    "nodes": (lambda session: SqlNodes(session).page_of_org("acme", after=("edge", "n2"), limit=50), 50),
    "objects of a node": (lambda session: SqlDeliveries(session).page_of_node(NODE, after=("", ""), limit=50), 250),
}

_FEW = """
    INSERT INTO access_entries SELECT 'acme', 'objects', 'k' || i, 'user', 'u' || i, 'aclReader' FROM generate_series(1, 3) i;
    INSERT INTO nodes SELECT 'acme', 'edge', 'n' || i, 'http', '1', true, '', 0, 0 FROM generate_series(1, 3) i;
    ANALYZE access_entries, nodes, deliveries
"""

#: Ten organizations, of which one asks.
_MANY = """
    INSERT INTO access_entries SELECT CASE i % 10 WHEN 0 THEN 'acme' ELSE 'o' || i % 10 END, 'objects', 'k' || i % 70, 'user',
        'u' || i, 'aclReader' FROM generate_series(10, 20000) i;
    INSERT INTO nodes SELECT CASE i % 10 WHEN 0 THEN 'acme' ELSE 'o' || i % 10 END, 'edge', 'n' || i, 'http', '1', true, '', 0, 0
        FROM generate_series(10, 5000) i;
    INSERT INTO deliveries (org, type, id, node_type, node_id, instance, state, attempts, message, was_sent)
        SELECT 'acme', 't', 'm' || i / 100, 'edge', 'n' || i % 100, 1, 'delivered', 0, '', true FROM generate_series(1, 20000) i
"""


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as url:
        create_postgres_schema(url)
        yield url


@pytest.mark.parametrize("is_analysed", [True, False])
def test_questions_look_at_what_they_are_about_even_by_plans_of_small_tables(url: str, is_analysed: bool) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FEW)

        def grow() -> None:
            connection.execute(_MANY)
            if is_analysed:
                connection.execute("ANALYZE access_entries, nodes, deliveries")

        assert wasteful(url, QUESTIONS, grow) == {}
