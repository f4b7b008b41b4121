"""Transactions on PostgreSQL: connections, their settings, and the statements they run."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import psycopg
from psycopg.errors import DeadlockDetected, ProgramLimitExceeded, ReadOnlySqlTransaction, SerializationFailure
from psycopg.rows import TupleRow
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from common.domain.errors import TooLarge, Unavailable
from common.store.session import Overtaken, Parameters, Row
from common.store.statements import Bulk, Statement

Connection: TypeAlias = psycopg.Connection[TupleRow]

#: Another transaction was in the way: the same use case succeeds when it runs again.
CONFLICTS = (SerializationFailure, DeadlockDetected, Overtaken)

WRITING = "BEGIN ISOLATION LEVEL READ COMMITTED"
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_CONNECT_TIMEOUT_SECONDS = 5
_PREPARED_STATEMENTS = 256

#: A commit is durable on return, unless the operator wants even more; nothing waits, or is waited for, for ever. Every
#: statement has its index: a plan made while a table was still empty must not scan it later, when it is large.
_SETTINGS = """
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local');
    SET lock_timeout = '10s';
    SET statement_timeout = '60s';
    SET idle_in_transaction_session_timeout = '60s';
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
    SET jit = off
"""

#: The advisory locks of organizations are numbered within this class.
_ORG_LOCKS = 0x4F52_4731

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]
_texts: dict[tuple[Statement, bool], str] = {}


def connect(url: str) -> Connection:
    """A connection with our settings that starts no transaction by itself. Raises psycopg.OperationalError."""
    connection = psycopg.connect(
        url,
        autocommit=True,
        application_name="edgesync",
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=3,
        tcp_user_timeout=30_000,
    )
    connection.prepared_max = _PREPARED_STATEMENTS
    connection.execute(_SETTINGS, prepare=False)
    return connection


def translated(error: psycopg.Error) -> Exception:
    """The error a caller of the database gets to see: trouble that passes is Unavailable, the rest is a bug."""
    if isinstance(error, ProgramLimitExceeded):
        return TooLarge("A name is too long, or several together are.")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | ReadOnlySqlTransaction):
        return Unavailable("The database cannot do this right now; try again later.")
    return error


class PostgresSession:
    """The `Session` of one transaction, which begins with its first statement."""

    has_rivals = True

    def __init__(self, connection: Connection, begin: str = WRITING) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._begin = begin
        self._may_lock = begin == WRITING
        self.has_begun = False

    def fetch(self, statement: Statement, parameters: Parameters) -> Sequence[Row]:
        return self._execute(statement, parameters).fetchall()

    def fetch_one(self, statement: Statement, parameters: Parameters) -> Row | None:
        return self._execute(statement, parameters).fetchone()

    def fetch_many(self, bulk: Bulk, rows: Sequence[Parameters]) -> Sequence[Row]:
        return self._execute_bulk(bulk, rows).fetchall() if rows else ()

    def run(self, statement: Statement, parameters: Parameters) -> int:
        return self._execute(statement, parameters).rowcount

    def run_many(self, bulk: Bulk, rows: Sequence[Parameters]) -> int:
        return self._execute_bulk(bulk, rows).rowcount if rows else 0

    def run_many_binary(self, bulk: Bulk, rows: Sequence[Parameters]) -> None:
        if len(rows) == 1:
            self._execute(bulk.one, rows[0])
        elif rows:
            self._ensure_begun()
            self._cursor.executemany(self._text(bulk.one), rows)

    def lock_shared(self, names: Sequence[str]) -> None:
        # In one order everywhere, so that two transactions never wait for each other.
        locks = [f"pg_advisory_xact_lock_shared({_ORG_LOCKS}, {n})" for n in sorted({_number_of(x) for x in names})]
        if locks:
            self._command(f"SELECT {', '.join(locks)}")

    def lock_alone(self, name: str) -> None:
        self._command(f"SELECT pg_advisory_xact_lock({_ORG_LOCKS}, {_number_of(name)})")

    def commit(self) -> None:
        """Durable on return, when there was anything to commit."""
        if self.has_begun:
            self._cursor.execute("COMMIT", prepare=False)

    def roll_back(self) -> None:
        """Undo everything; harmless on a connection that is gone."""
        if self.has_begun and not self._connection.closed:
            self._cursor.execute("ROLLBACK", prepare=False)

    def _execute(self, statement: Statement, parameters: Parameters) -> psycopg.Cursor[TupleRow]:
        self._ensure_begun()
        prepare = False if statement.is_planned_anew else None
        return self._cursor.execute(self._text(statement), parameters, prepare=prepare, binary=True)

    def _execute_bulk(self, bulk: Bulk, rows: Sequence[Parameters]) -> psycopg.Cursor[TupleRow]:
        if len(rows) == 1:
            return self._execute(bulk.one, rows[0])
        return self._execute(bulk.many, {"rows": msgspec.json.encode(rows).decode()})

    def _ensure_begun(self) -> None:
        if not self.has_begun:
            self._cursor.execute(self._begin, prepare=False)
            self.has_begun = True

    def _command(self, text: str) -> None:
        """A statement without parameters; as the first one it shares the way to the server with BEGIN."""
        self._cursor.execute(text if self.has_begun else f"{self._begin}; {text}", prepare=False)
        self.has_begun = True

    def _text(self, statement: Statement) -> str:
        try:
            return _texts[statement, self._may_lock]
        except KeyError:
            text = statement.text(_DIALECT, may_lock=self._may_lock)
            return _texts.setdefault((statement, self._may_lock), text)


def _number_of(name: str) -> int:
    """A signed 32-bit number for an advisory lock. Two names with the same one merely wait for each other."""
    return zlib.crc32(name.encode()) - 2**31
