"""Everything a node holds, as values that can be compared: the proof that a refused request changed nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from common.sync.payloads import PayloadStore
from tests.support.memory_store import MemoryDatabase
from tests.support.memory_tables import Table

#: Instance numbers are used up by a refused request, too, and refusals are written down: no change of what is kept.
_NOT_STATE = frozenset({"counters", "alembic_version", "audit"})

Rows = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Holdings:
    """Rows of every table, and what the payload store has (name, sealed)."""

    rows: Rows
    payloads: frozenset[tuple[str, bool]]


def holdings(read_rows: Callable[[], Rows], payloads: PayloadStore) -> Holdings:
    return Holdings(read_rows(), frozenset((stored.name, stored.sealed) for stored in payloads.names()))


def rows_in_memory(database: MemoryDatabase) -> Rows:
    tables = vars(database._tables).items()
    return {
        name: sorted(map(repr, table)) for name, table in tables if isinstance(table, Table) and name not in _NOT_STATE
    }


def rows_of_sqlite(path: Path) -> Rows:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: sorted(map(repr, connection.execute(f'SELECT * FROM "{name}"')))
            for (name,) in names
            if name not in _NOT_STATE
        }
    finally:
        connection.close()


def rows_of_postgres(url: str) -> Rows:
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            name: sorted(map(repr, connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name)))))
            for (name,) in names
            if name not in _NOT_STATE
        }
