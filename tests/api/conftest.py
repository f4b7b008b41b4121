"""Nodes to call: a CSS and an ESS in this process, on the database double, on SQLite and, where it matters, PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import psycopg
import pytest

from common.store.payload_files import FilePayloadStore
from common.store.payload_postgres import PostgresPayloadStore
from common.store.postgres_connections import PostgresConnections
from common.sync.ports import Database
from tests.support.memory_store import MemoryDatabase
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest, Parts, a_css, an_ess
from tests.support.node_under_test_state import Rows, rows_in_memory, rows_of_postgres, rows_of_sqlite
from tests.support.requests_node import register
from tests.support.requests_raw import RawConnection, connected
from tests.support.servers import PostgresServer
from tests.support.store_places import InMemory, OnPostgres, OnSqlite, create_postgres_schema, sqlite_template


@pytest.fixture(scope="session")
def sqlite_schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file to copy."""
    return sqlite_template(tmp_path_factory.mktemp("schema") / "empty.db")


@pytest.fixture(scope="session")
def postgres_schema(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a database with the schema in place, emptied for each test."""
    with postgres_server.database() as url:
        create_postgres_schema(url)
        yield url


@pytest.fixture(params=["memory", "sqlite"])
def new_parts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Parts]]:
    """What a node of that name is made of. A test for other databases parametrizes this fixture indirectly."""
    with ExitStack() as resources:
        match request.param:
            case "memory":
                yield lambda name: _in_memory(tmp_path / name)
            case "sqlite":
                template = request.getfixturevalue("sqlite_schema")
                yield lambda name: _on_sqlite(template, tmp_path / name)
            case _:
                url = request.getfixturevalue("postgres_schema")
                yield lambda name: _on_postgres(url, tmp_path / name, resources)


@pytest.fixture
def css(new_parts: Callable[[str], Parts]) -> Iterator[NodeUnderTest]:
    with closing(a_css(new_parts("css"))) as node:
        yield node


@pytest.fixture
def ess(new_parts: Callable[[str], Parts]) -> Iterator[EdgeUnderTest]:
    with closing(an_ess(new_parts("ess"))) as node:
        yield node


@pytest.fixture
def served_css(sqlite_schema: Path, tmp_path: Path) -> Iterator[NodeUnderTest]:
    """A CSS on a port of its own, with a registered edge and an object `t/m1` for it."""
    with closing(a_css(_on_sqlite(sqlite_schema, tmp_path / "served"))) as node, node.served():
        register(node)
        node.put("/api/v1/objects/o/t/m1", b"before", destinationType="edge")
        yield node


@pytest.fixture
def connection(served_css: NodeUnderTest) -> Iterator[RawConnection]:
    with connected(served_css.address) as connection:
        yield connection


def _in_memory(root: Path) -> Parts:
    def rows(database: Database) -> Rows:
        assert isinstance(database, MemoryDatabase)
        return rows_in_memory(database)

    return Parts(InMemory().open, FilePayloadStore(root / "payloads"), rows, root)


def _on_sqlite(template: Path, root: Path) -> Parts:
    root.mkdir()
    path = root / "sync.db"
    place = OnSqlite(template, path)
    return Parts(
        place.open,
        FilePayloadStore(root / "payloads"),
        lambda _: rows_of_sqlite(path),
        root,
    )


def _on_postgres(url: str, root: Path, resources: ExitStack) -> Parts:
    place = OnPostgres(url)
    connections = PostgresConnections(partial(psycopg.connect, url))
    resources.callback(connections.close)
    return Parts(
        place.open,
        PostgresPayloadStore(connections),
        lambda _: rows_of_postgres(url),
        root,
    )
