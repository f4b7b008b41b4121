"""The database of any number of replicas."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import psycopg

from common.domain.addressing import audience_of
from common.domain.errors import OutcomeUnknown, Unavailable
from common.store.objects import AudienceOf
from common.store.postgres_changes import PostgresChanges, lineage_of, start_numbering
from common.store.postgres_instances import catch_up_with_clock, drawing_from
from common.store.postgres_pool import PostgresPool
from common.store.postgres_session import CONFLICTS, SNAPSHOT, Connection, PostgresSession, connect, translated
from common.store.postgres_wakeups import PostgresWakeups
from common.store.unit_of_work import SqlUnitOfWork, no_instances
from common.sync.ports import Clock, UnitOfWork

T = TypeVar("T")

log = logging.getLogger(__name__)

_NS_PER_MS = 1_000_000
_MOST_ATTEMPTS = 6
_FIRST_RETRY_SECONDS = 0.002


def open_postgres(
    url: str,
    *,
    on_commit: Callable[[frozenset[str]], None],
    clock: Clock,
    pool_size: int = 8,
    audience_of: AudienceOf = audience_of,
    on_remote: Callable[[frozenset[str]], None] | None = None,
) -> PostgresDatabase:
    """Connect to a migrated database with at most `pool_size` connections, and one more for wake-ups.

    `on_commit` gets the topics woken by each commit of this process, in the thread that committed. `on_remote`, which
    is `on_commit` unless given, gets those of other replicas; see `wakeups.EVERYTHING`.
    `audience_of` says whom an own object is for. Raises Unavailable when the server cannot be reached.
    """
    open_connection = partial(connect, url)
    pool = PostgresPool(open_connection, pool_size)
    try:
        with pool.connection() as (connection, _):
            lineage = lineage_of(connection)
            session = PostgresSession(connection)
            catch_up_with_clock(session, (clock.now_ms() + 1) * _NS_PER_MS)
            start_numbering(session, lineage)
            session.commit()
    except psycopg.Error as error:
        pool.close()
        raise translated(error) from error
    wakeups = PostgresWakeups(open_connection, on_remote or on_commit)
    return PostgresDatabase(pool, pool_size, wakeups, on_commit, audience_of)


class PostgresDatabase:
    """The `Database` on a server. Each use case is a transaction of its own; it runs again when others were in its way."""

    def __init__(
        self,
        pool: PostgresPool,
        workers: int,
        wakeups: PostgresWakeups,
        on_commit: Callable[[frozenset[str]], None],
        audience_of: AudienceOf,
    ) -> None:
        self._pool = pool
        self._wakeups = wakeups
        self._on_commit = on_commit
        self._audience_of = audience_of
        self.parallel_commits = workers
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="postgres")

    def submit(self, work: Callable[[UnitOfWork], T]) -> Future[T]:
        try:
            return self._workers.submit(self.write, work)
        except RuntimeError:
            closed: Future[T] = Future()
            closed.set_exception(Unavailable("The database is closed."))
            return closed

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        result, topics = self._repeated(lambda connection: self._attempt_write(connection, work))
        if topics:
            self._tell(topics)
        return result

    def read(self, work: Callable[[UnitOfWork], T]) -> T:
        return self._repeated(lambda connection: self._attempt_read(connection, work))

    def close(self) -> None:
        self._workers.shutdown()
        self._pool.close()
        self._wakeups.close()

    def _attempt_write(self, connection: Connection, work: Callable[[UnitOfWork], T]) -> tuple[T, frozenset[str]]:
        session = PostgresSession(connection)
        unit = SqlUnitOfWork(session, self._audience_of, PostgresChanges(session), drawing_from(session))
        try:
            result = work(unit)
            unit.finish()
        except BaseException:
            session.roll_back()
            raise
        try:
            session.commit()
        except psycopg.Error as error:
            # Nobody knows whether it is committed: running it again is for the caller to decide.
            failure = translated(error)
            raise (OutcomeUnknown() if isinstance(failure, Unavailable) else failure) from error
        return result, frozenset(unit.topics)

    def _attempt_read(self, connection: Connection, work: Callable[[UnitOfWork], T]) -> T:
        session = PostgresSession(connection, SNAPSHOT)
        try:
            return work(SqlUnitOfWork(session, self._audience_of, PostgresChanges(session), no_instances))
        finally:
            session.roll_back()

    def _tell(self, topics: frozenset[str]) -> None:
        self._wakeups.announce(topics)
        try:
            self._on_commit(topics)
        except Exception:
            # The caller's data is committed, and wake-ups are hints.
            log.exception("wake_up_failed")

    def _repeated(self, attempt: Callable[[Connection], T]) -> T:
        """Run a transaction until it gets through. Raises Unavailable when that takes too long."""
        for attempts in range(1, _MOST_ATTEMPTS + 1):
            try:
                with self._pool.connection() as (connection, is_fresh):
                    try:
                        return attempt(connection)
                    except psycopg.Error:
                        if is_fresh or not connection.closed:
                            raise
            except CONFLICTS:
                time.sleep(_FIRST_RETRY_SECONDS * 2**attempts)
            except psycopg.Error as error:
                raise translated(error) from error
        raise Unavailable("Too many changes of the same objects at once; try again later.")
