"""How well the database does: failures counted where every use case passes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from common.domain.errors import TooManyRequests, Unavailable
from common.sync.ports import Clock, Database, UnitOfWork

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """Times are in seconds, and None for what never happened."""

    read_failures: int
    write_failures: int
    since_last_failure_seconds: float | None
    #: How long the last time was during which nothing worked.
    last_outage_seconds: float | None


class DatabaseWatch:
    """A `Database` that is another one, watched. An error counts when it is the database's own: Unavailable."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._read_failures = 0
        self._write_failures = 0
        self._failed_at: float | None = None
        self._outage_began_at: float | None = None
        self._last_outage_seconds: float | None = None

    @property
    def parallel_commits(self) -> int:
        return self._database.parallel_commits

    def submit(self, work: Callable[[UnitOfWork], T]) -> Future[T]:
        future = self._database.submit(work)
        future.add_done_callback(self._written)
        return future

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        try:
            result = self._database.write(work)
        except Unavailable as error:
            self._failed(error, writes=1)
            raise
        self._works()
        return result

    def read(self, work: Callable[[UnitOfWork], T]) -> T:
        try:
            result = self._database.read(work)
        except Unavailable as error:
            self._failed(error, reads=1)
            raise
        self._works()
        return result

    def close(self) -> None:
        self._database.close()

    def health(self) -> DatabaseHealth:
        with self._lock:
            since = None if self._failed_at is None else self._clock.monotonic() - self._failed_at
            return DatabaseHealth(self._read_failures, self._write_failures, since, self._last_outage_seconds)

    def _written(self, future: Future[T]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if isinstance(error, Unavailable):
            self._failed(error, writes=1)
        elif error is None:
            self._works()

    def _failed(self, error: Unavailable, *, reads: int = 0, writes: int = 0) -> None:
        if isinstance(error, TooManyRequests):
            return  # a use case's own way to say no
        with self._lock:
            self._read_failures += reads
            self._write_failures += writes
            self._failed_at = self._clock.monotonic()
            if self._outage_began_at is None:
                self._outage_began_at = self._failed_at

    def _works(self) -> None:
        if self._outage_began_at is None:
            return
        with self._lock:
            if self._outage_began_at is not None:
                self._last_outage_seconds = self._clock.monotonic() - self._outage_began_at
                self._outage_began_at = None
