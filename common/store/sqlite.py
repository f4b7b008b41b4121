"""The database of one box: a file, one writer, readers beside it."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from common.domain.addressing import audience_of
from common.domain.errors import Unavailable
from common.store.objects import AudienceOf
from common.store.sqlite_changes import SqliteChanges, start_numbering
from common.store.sqlite_session import SqliteSession, errors_translated, open_reading, open_writing
from common.store.sqlite_writer import SqliteWriter
from common.store.state_lock import StateLock
from common.store.statements import Statement, constant, parameter
from common.store.tables import counters
from common.store.unit_of_work import SqlUnitOfWork, no_instances
from common.sync.ports import Clock, UnitOfWork

T = TypeVar("T")

_READERS = 8
_NS_PER_MS = 1_000_000
_US_PER_MS = 1_000
#: Two connections that write or checkpoint at the same instant can damage the file before this version. One does here,
#: but a tool that somebody points at the file of a running service would be the second one.
_FIRST_SAFE_SQLITE = (3, 51, 3)

_READ_INSTANCES = Statement(sa.select(counters.c.value).where(counters.c.name == constant("instances")))
_WRITE_INSTANCES = Statement(
    sa.update(counters).where(counters.c.name == constant("instances")).values(value=parameter("next"))
)
_ADD_INSTANCES = Statement(sa.insert(counters).values(name=constant("instances"), value=parameter("next")))

log = logging.getLogger(__name__)


def open_sqlite(
    path: Path,
    *,
    on_commit: Callable[[frozenset[str]], None],
    clock: Clock,
    audience_of: AudienceOf = audience_of,
) -> SqliteDatabase:
    """Open a migrated database and own it: nobody else may write to it until `close` or the end of the process.

    `on_commit` gets the topics woken by each commit, in the thread that wrote; it has to be quick. `audience_of` says
    whom an own object is for. Raises StateLocked when another process owns the file, Unavailable when it cannot be used.
    """
    if sqlite3.sqlite_version_info < _FIRST_SAFE_SQLITE:
        log.warning("sqlite_outdated", extra={"fields": {"version": sqlite3.sqlite_version, "wanted": "3.51.3"}})
    else:
        log.info("sqlite_opened", extra={"fields": {"version": sqlite3.sqlite_version}})
    lock = StateLock(path)
    try:
        with errors_translated():
            return SqliteDatabase(path, lock, on_commit, clock, audience_of)
    except BaseException:
        lock.release()
        raise


class SqliteDatabase:
    """The `Database` in one file."""

    def __init__(
        self,
        path: Path,
        lock: StateLock,
        on_commit: Callable[[frozenset[str]], None],
        clock: Clock,
        audience_of: AudienceOf,
    ) -> None:
        self._lock = lock
        self._audience_of = audience_of
        connection = open_writing(path)
        session = SqliteSession(connection)
        try:
            instances = _Instances(session, (clock.now_ms() + 1) * _NS_PER_MS)
            start_numbering(session, clock.now_ms() * _US_PER_MS)
        except BaseException:
            connection.close()
            raise
        self._writer = SqliteWriter(
            connection, lambda: SqlUnitOfWork(session, audience_of, SqliteChanges(session), instances.draw), on_commit
        )
        self._readers = _Readers(path)

    @property
    def parallel_commits(self) -> int:
        return 1

    def submit(self, work: Callable[[UnitOfWork], T]) -> Future[T]:
        return self._writer.submit(work)

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        return self.submit(work).result()

    def read(self, work: Callable[[UnitOfWork], T]) -> T:
        with errors_translated(), self._readers.snapshot() as connection:
            session = SqliteSession(connection)
            return work(SqlUnitOfWork(session, self._audience_of, SqliteChanges(session), no_instances))

    def close(self) -> None:
        # The writer goes last among the connections: only it may move the log into the database file.
        self._readers.close()
        self._writer.close()
        self._lock.release()


class _Instances:
    """Instance numbers. The last one is stored by the transaction that uses it, so a committed number is never repeated.

    One that was rolled back is not repeated either, as long as the process lives: whoever failed may have shown it.
    """

    def __init__(self, session: SqliteSession, start: int) -> None:
        self._session = session
        stored = session.fetch_one(_READ_INSTANCES, {})
        if stored is None:
            session.run(_ADD_INSTANCES, {"next": start})
        self._next = max(start, stored[0] if stored else 0)

    def draw(self, count: int) -> range:
        drawn = range(self._next, self._next + count)
        self._next = drawn.stop
        self._session.run(_WRITE_INSTANCES, {"next": drawn.stop})
        return drawn


class _Readers:
    """Connections that read, each one snapshot at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: deque[sqlite3.Connection] = deque()
        self._free_places = threading.BoundedSemaphore(_READERS)
        self._is_closed = False

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        with self._free_places:
            connection = self._take()
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                self._give_back(connection)

    def close(self) -> None:
        """Wait for whoever reads, then close all. Idempotent."""
        self._is_closed = True
        for _ in range(_READERS):
            self._free_places.acquire()
        while self._idle:
            self._idle.pop().close()
        for _ in range(_READERS):
            self._free_places.release()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            connection.close()
        else:
            self._idle.append(connection)

    def _take(self) -> sqlite3.Connection:
        if self._is_closed:
            raise Unavailable("The database is closed.")
        try:
            return self._idle.pop()
        except IndexError:
            return open_reading(self._path)
