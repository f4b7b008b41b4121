"""A few Postgres connections shared by many threads, for statements that go past SQLAlchemy."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

import psycopg
from psycopg.rows import TupleRow

Connection: TypeAlias = psycopg.Connection[TupleRow]


class PostgresConnections:
    """Opens a connection when one is needed and keeps it for the next caller. Any number of threads."""

    def __init__(self, connect: Callable[[], Connection], limit: int = 8, wait_seconds: float = 30.0) -> None:
        """At most `limit` connections are in use at once; who waits longer than `wait_seconds` for one is refused."""
        self._connect = connect
        self._wait_seconds = wait_seconds
        self._free_places = threading.BoundedSemaphore(limit)
        self._idle: deque[Connection] = deque()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back by an exception.

        Raises psycopg.OperationalError when the server cannot be reached, or no connection gets free in time.
        """
        if not self._free_places.acquire(timeout=self._wait_seconds):
            raise psycopg.OperationalError(f"no connection got free in {self._wait_seconds} s")
        try:
            connection = self._take()
            try:
                with connection.transaction():
                    yield connection
            finally:
                self._give_back(connection)
        finally:
            self._free_places.release()

    def close(self) -> None:
        """Close the idle connections."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _take(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _give_back(self, connection: Connection) -> None:
        if connection.closed:
            # The server went away; the idle ones would each fail one more caller.
            self.close()
        else:
            self._idle.append(connection)
