"""Group commit: one thread writes, and whatever has queued up while it wrote shares the next commit.

    queue ──► BEGIN ─► [savepoint: use case] [savepoint: use case] … ─► COMMIT (one fsync) ─► futures ─► wake-ups

A use case that fails is undone to its savepoint and leaves the others alone. Nobody is answered before the commit.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

from common.domain.errors import Unavailable
from common.store.sqlite_session import translated
from common.sync.ports import UnitOfWork

T = TypeVar("T")

#: How many use cases share a commit at most: it bounds how long the first of them waits for the last.
LARGEST_GROUP = 256

log = logging.getLogger(__name__)


class RecordingUnitOfWork(UnitOfWork, Protocol):
    """A unit of work that remembers whom to wake, and what to write down at its end."""

    @property
    def topics(self) -> set[str]: ...

    def finish(self) -> None:
        """The use case has ended well."""
        ...


class _TransactionLost(Exception):
    """One use case has ended the transaction of several."""


@dataclass(slots=True)
class _Job:
    work: Callable[[UnitOfWork], Any]
    future: Future[Any] = field(default_factory=Future)
    result: Any = None
    error: BaseException | None = None


_Queue: TypeAlias = "queue.SimpleQueue[_Job | None]"


class SqliteWriter:
    """Owns the connection that writes. `on_commit` runs in its thread and has to be quick."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        begin_work: Callable[[], RecordingUnitOfWork],
        on_commit: Callable[[frozenset[str]], None],
    ) -> None:
        self._connection = connection
        self._begin_work = begin_work
        self._on_commit = on_commit
        self._queue: _Queue = queue.SimpleQueue()
        self._is_closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[UnitOfWork], T]) -> Future[T]:
        job = _Job(work)
        with self._closing:
            if not self._is_closed:
                self._queue.put(job)
                return job.future
        job.future.set_exception(Unavailable("The database is closed."))
        return job.future

    def close(self) -> None:
        """Finish what was submitted, then close the connection. Idempotent."""
        with self._closing:
            if not self._is_closed:
                self._is_closed = True
                self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        is_open = True
        while is_open:
            jobs, is_open = self._next_group()
            if jobs:
                self._settle(jobs, self._commit_together(jobs))

    def _next_group(self) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        taken = self._queue.get()
        while taken is not None:
            if taken.future.set_running_or_notify_cancel():
                jobs.append(taken)
            if len(jobs) == LARGEST_GROUP:
                return jobs, True
            try:
                taken = self._queue.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _commit_together(self, jobs: Sequence[_Job]) -> frozenset[str]:
        """Run and commit all; the topics to wake. When the commit fails, so has every job.

        A job that loses the transaction of all takes nobody with it: each runs again in a transaction of its own.
        """
        topics: set[str] = set()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                topics |= self._attempt(job, is_alone=len(jobs) == 1)
            self._connection.execute("COMMIT")
        except _TransactionLost:
            return frozenset().union(*[self._commit_together([job]) for job in jobs])
        except (sqlite3.Error, Unavailable) as error:
            told = translated(error) if isinstance(error, sqlite3.Error) else error
            is_defect = not isinstance(told, Unavailable)
            reason = error.__cause__ or error
            about = {"use_cases": len(jobs), "error": str(reason)}
            log.error("commit_failed", exc_info=is_defect, extra={"fields": about})
            self._roll_back()
            self._fail(jobs, told)
            return frozenset()
        return frozenset(topics)

    def _attempt(self, job: _Job, *, is_alone: bool) -> set[str]:
        """Run one use case; the topics it wakes, none if it failed and was undone.

        Raises _TransactionLost, and for a use case that is alone Unavailable, when the whole transaction is.
        """
        job.error = None
        if not is_alone:
            self._connection.execute("SAVEPOINT use_case")
        unit = self._begin_work()
        try:
            job.result = job.work(unit)
            unit.finish()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the caller
            job.error = translated(error) if isinstance(error, sqlite3.Error) else error
            self._undo(error, is_alone=is_alone)
            return set()
        if not is_alone:
            self._connection.execute("RELEASE use_case")
        return unit.topics

    def _undo(self, error: BaseException, *, is_alone: bool) -> None:
        if not self._connection.in_transaction:
            # SQLite rolls everything back by itself when the disk is full or fails.
            if not is_alone:
                raise _TransactionLost from error
            raise Unavailable("The database cannot do this right now; try again later.") from error
        if is_alone:
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN")
        else:
            self._connection.execute("ROLLBACK TO use_case")
            self._connection.execute("RELEASE use_case")

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            log.exception("rollback_failed")

    def _fail(self, jobs: Sequence[_Job], error: Exception) -> None:
        for job in jobs:
            job.error = job.error or error

    def _settle(self, jobs: Sequence[_Job], topics: frozenset[str]) -> None:
        for job in jobs:
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)
        if topics:
            try:
                self._on_commit(topics)
            except Exception:
                log.exception("wake_up_failed")
