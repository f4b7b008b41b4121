"""The connections of one process to PostgreSQL, lent to one transaction at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from common.domain.errors import Unavailable
from common.store.postgres_session import Connection


class PostgresPool:
    """Opens connections as they are needed, up to a limit, and keeps them."""

    def __init__(self, connect: Callable[[], Connection], limit: int, wait_seconds: float = 30.0) -> None:
        self._connect = connect
        self._limit = limit
        self._wait_seconds = wait_seconds
        self._free_places = threading.BoundedSemaphore(limit)
        self._idle: deque[Connection] = deque()
        self._is_closed = False

    @contextmanager
    def connection(self) -> Iterator[tuple[Connection, bool]]:
        """A connection, and whether it is fresh: one that was idle may have been cut off unnoticed.

        Raises Unavailable when none gets free in time, psycopg.OperationalError when the server cannot be reached.
        """
        if not self._free_places.acquire(timeout=self._wait_seconds):
            raise Unavailable("All connections to the database are busy; try again later.")
        try:
            connection, is_fresh = self._take()
            try:
                yield connection, is_fresh
            finally:
                self._give_back(connection)
        finally:
            self._free_places.release()

    def close(self) -> None:
        """Wait for the transactions under way, then close all. Idempotent."""
        self._is_closed = True
        for _ in range(self._limit):
            self._free_places.acquire()
        self._close_idle()
        for _ in range(self._limit):
            self._free_places.release()

    def _take(self) -> tuple[Connection, bool]:
        if self._is_closed:
            raise Unavailable("The database is closed.")
        try:
            return self._idle.pop(), False
        except IndexError:
            return self._connect(), True

    def _give_back(self, connection: Connection) -> None:
        if connection.closed:
            # The server went away; the idle ones would each fail one more caller.
            self._close_idle()
        elif connection.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE:
            connection.close()
        else:
            self._idle.append(connection)

    def _close_idle(self) -> None:
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return
