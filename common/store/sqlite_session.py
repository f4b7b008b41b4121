"""Transactions on SQLite: connections, their settings, and the statements they run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from common.domain.errors import Unavailable
from common.store.session import Parameters, Row
from common.store.statements import Bulk, Statement

_BUSY_TIMEOUT_SECONDS = 5.0
_CACHED_STATEMENTS = 256

#: Primary result codes that say nothing about the request: the disk is full or fails, or somebody else holds the file.
_PASSING_TROUBLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
    }
)

#: Every engine's driver understands `:name`.
_DIALECT = SQLiteDialect_pysqlite(paramstyle="named")
_texts: dict[Statement, str] = {}


def open_writing(path: Path) -> sqlite3.Connection:
    """The one connection that writes: what it has committed survives power loss."""
    connection = _connect(f"file:{quote(str(path))}?mode=rw")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def open_reading(path: Path) -> sqlite3.Connection:
    """A connection that can neither write nor move the log into the database file."""
    connection = _connect(f"file:{quote(str(path))}?mode=ro")
    connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def errors_translated() -> Iterator[None]:
    """Trouble that passes becomes Unavailable; every other error of the driver is a bug and stays as it is."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error) from error


def translated(error: sqlite3.Error) -> Exception:
    """The error a caller of the database gets to see."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _PASSING_TROUBLE:
        return Unavailable("The database cannot do this right now; try again later.")
    return error


class SqliteSession:
    """The `Session` of a connection, transaction after transaction."""

    #: One connection writes, and it runs one transaction at a time.
    has_rivals = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def fetch(self, statement: Statement, parameters: Parameters) -> Sequence[Row]:
        return self._connection.execute(_text(statement), parameters).fetchall()

    def fetch_one(self, statement: Statement, parameters: Parameters) -> Row | None:
        row: Row | None = self._connection.execute(_text(statement), parameters).fetchone()
        return row

    def fetch_many(self, bulk: Bulk, rows: Sequence[Parameters]) -> Sequence[Row]:
        text = _text(bulk.one)
        return [found for row in rows for found in self._connection.execute(text, row)]

    def run(self, statement: Statement, parameters: Parameters) -> int:
        return self._connection.execute(_text(statement), parameters).rowcount

    def run_many(self, bulk: Bulk, rows: Sequence[Parameters]) -> int:
        return self._connection.executemany(_text(bulk.one), rows).rowcount if rows else 0

    def run_many_binary(self, bulk: Bulk, rows: Sequence[Parameters]) -> None:
        self.run_many(bulk, rows)

    def lock_shared(self, names: Sequence[str]) -> None:
        """Nothing to do: see `has_rivals`."""

    def lock_alone(self, name: str) -> None:
        """Nothing to do: see `has_rivals`."""


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=_BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
    )


def _text(statement: Statement) -> str:
    try:
        return _texts[statement]
    except KeyError:
        return _texts.setdefault(statement, statement.text(_DIALECT))
