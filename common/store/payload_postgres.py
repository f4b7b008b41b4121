"""Payloads as rows of 1 MiB in Postgres, for replicas that share a database and nothing else.

Every statement sequence is one short transaction on a borrowed connection, so a slow upload holds none, and any replica
may take any piece. The row in `payloads` is the lock of its payload: whoever writes chunks, seals or deletes holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Self

import psycopg
from psycopg.errors import DiskFull

from common.store.payload_tables import CHUNK_BYTES
from common.store.postgres_connections import Connection, PostgresConnections
from common.sync.payloads import (
    PayloadIncomplete,
    PayloadMissing,
    PayloadSealed,
    PayloadStoreFull,
    PayloadStoreUnavailable,
    Piece,
    StoredPayload,
    check_name,
    check_range,
)

_NAMES_PER_PAGE = 1000

_STAGE = """
    INSERT INTO payloads AS p (name, modified_at) VALUES (%(name)s, extract(epoch FROM clock_timestamp()))
    ON CONFLICT (name) DO UPDATE SET modified_at = excluded.modified_at WHERE p.size IS NULL
"""
_LOCK = "SELECT size FROM payloads WHERE name = %(name)s FOR UPDATE"
_TOUCH = """
    UPDATE payloads SET modified_at = extract(epoch FROM clock_timestamp()) WHERE name = %(name)s AND size IS NULL
"""
_CHUNK = "SELECT bytes FROM payload_chunks WHERE name = %(name)s AND number = %(number)s"
_PUT_CHUNK = """
    INSERT INTO payload_chunks (name, number, bytes) VALUES (%(name)s, %(number)s, %(bytes)b)
    ON CONFLICT (name, number) DO UPDATE SET bytes = excluded.bytes
"""
_COUNT_WHOLE_CHUNKS = """
    SELECT count(*) FROM payload_chunks WHERE name = %(name)s AND number < %(last)s AND length(bytes) = %(chunk_bytes)s
"""
_LAST_CHUNK_BYTES = "SELECT length(bytes) FROM payload_chunks WHERE name = %(name)s AND number = %(last)s"
_CUT_LAST_CHUNK = """
    UPDATE payload_chunks SET bytes = substring(bytes FROM 1 FOR %(last_bytes)s)
    WHERE name = %(name)s AND number = %(last)s AND length(bytes) > %(last_bytes)s
"""
_DROP_SURPLUS = "DELETE FROM payload_chunks WHERE name = %(name)s AND number > %(last)s"
_SEAL = """
    UPDATE payloads SET size = %(size)s, modified_at = extract(epoch FROM clock_timestamp()) WHERE name = %(name)s
"""
_SIZE = "SELECT size FROM payloads WHERE name = %(name)s AND size IS NOT NULL"
_SLICES = """
    SELECT number, substring(bytes
        FROM (greatest(%(start)s - number::bigint * %(chunk_bytes)s, 0) + 1)::int
        FOR least(%(end)s - greatest(%(start)s, number::bigint * %(chunk_bytes)s), %(chunk_bytes)s)::int)
    FROM payload_chunks
    WHERE name = %(name)s AND number BETWEEN %(first)s AND %(last)s ORDER BY number
"""
_DELETE = "DELETE FROM payloads WHERE name = %(name)s"
_DELETE_CHUNKS = "DELETE FROM payload_chunks WHERE name = %(name)s"
_NAMES = """
    SELECT name, size IS NOT NULL, modified_at FROM payloads WHERE name > %(after)s ORDER BY name LIMIT %(limit)s
"""


class PostgresPayloadStore:
    """The `PayloadStore` of any number of replicas. A reader fails with `PayloadMissing` once its payload is deleted."""

    def __init__(self, connections: PostgresConnections) -> None:
        self._connections = connections

    def writer(self, name: str) -> _PostgresWriter:
        check_name(name)
        with self._transaction() as connection:
            if connection.execute(_STAGE, {"name": name}).rowcount == 0:
                raise PayloadSealed
        return _PostgresWriter(partial(self._put, name))

    def seal(self, name: str, size_bytes: int) -> None:
        check_name(name)
        check_range(0, size_bytes)
        with self._transaction() as connection:
            if size_bytes == 0:
                connection.execute(_STAGE, {"name": name})
            row = connection.execute(_LOCK, {"name": name}).fetchone()
            if row is None:
                raise PayloadIncomplete
            if row[0] is None:
                _cut_to(connection, name, size_bytes)
                connection.execute(_SEAL, {"name": name, "size": size_bytes})
            elif row[0] != size_bytes:
                raise PayloadSealed

    def read_staged(self, name: str, start: int, end: int) -> bytes:
        check_name(name)
        check_range(start, end)
        with self._transaction() as connection:
            return _slice(connection, name, start, end)

    def open(self, name: str) -> _PostgresReader:
        return _PostgresReader(self.size(name), partial(self._read_sealed, name))

    def read(self, name: str, start: int, end: int) -> bytes:
        with self.open(name) as reader:
            return reader.read(start, end)

    def size(self, name: str) -> int:
        check_name(name)
        with self._transaction() as connection:
            row = connection.execute(_SIZE, {"name": name}).fetchone()
        if row is None:
            raise PayloadMissing
        return int(row[0])

    def delete(self, name: str) -> None:
        check_name(name)
        with self._transaction() as connection:
            connection.execute(_DELETE, {"name": name})
            connection.execute(_DELETE_CHUNKS, {"name": name})

    def names(self) -> Iterator[StoredPayload]:
        page: list[StoredPayload] = []
        while True:
            after = page[-1].name if page else ""
            with self._transaction() as connection:
                rows = connection.execute(_NAMES, {"after": after, "limit": _NAMES_PER_PAGE}).fetchall()
            page = [StoredPayload(name, sealed, modified_at) for name, sealed, modified_at in rows]
            yield from page
            if len(page) < _NAMES_PER_PAGE:
                return

    def _put(self, name: str, offset: int, piece: Piece) -> None:
        """Commit `piece`, which lies within one chunk."""
        number, start = divmod(offset, CHUNK_BYTES)
        with self._transaction() as connection:
            if connection.execute(_TOUCH, {"name": name}).rowcount == 0:
                raise PayloadSealed if connection.execute(_SIZE, {"name": name}).fetchone() else PayloadMissing
            if len(piece) < CHUNK_BYTES:
                piece = _merged(_chunk(connection, name, number), start, piece)
            connection.execute(_PUT_CHUNK, {"name": name, "number": number, "bytes": piece})

    def _read_sealed(self, name: str, start: int, end: int) -> bytes:
        with self._transaction() as connection:
            piece = _slice(connection, name, start, end)
        if len(piece) < end - start:
            raise PayloadMissing
        return piece

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._connections.transaction() as connection:
                yield connection
        except DiskFull as error:
            raise PayloadStoreFull from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise PayloadStoreUnavailable from error


class _PostgresWriter:
    """Gathers adjoining pieces up to the end of a chunk: one commit for each MiB, whatever size the pieces have."""

    def __init__(self, put: Callable[[int, Piece], None]) -> None:
        self._put = put
        self._gathered = bytearray()
        self._gathered_at = 0
        self._is_usable = True

    def write(self, offset: int, piece: Piece) -> None:
        if offset < 0:
            raise ValueError(f"not an offset: {offset}")
        with self._usable():
            rest = memoryview(piece).cast("B")
            while rest:
                if offset != self._gathered_at + len(self._gathered):
                    self._put_gathered()
                if not self._gathered:
                    self._gathered_at = offset
                room_bytes = CHUNK_BYTES - offset % CHUNK_BYTES
                self._gathered += rest[:room_bytes]
                offset += len(rest[:room_bytes])
                rest = rest[room_bytes:]
                if offset % CHUNK_BYTES == 0:
                    self._put_gathered()

    def flush(self) -> None:
        with self._usable():
            self._put_gathered()

    def close(self) -> None:
        self._is_usable = False
        self._gathered.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _usable(self) -> Iterator[None]:
        if not self._is_usable:
            raise ValueError("write to a payload writer that is closed or has failed")
        self._is_usable = False
        yield
        self._is_usable = True

    def _put_gathered(self) -> None:
        if self._gathered:
            self._put(self._gathered_at, self._gathered)
            self._gathered.clear()


class _PostgresReader:
    def __init__(self, size_bytes: int, read: Callable[[int, int], bytes]) -> None:
        self._size_bytes = size_bytes
        self._read = read

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def read(self, start: int, end: int) -> bytes:
        check_range(start, end)
        end = min(end, self._size_bytes)
        return self._read(start, end) if start < end else b""

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _cut_to(connection: Connection, name: str, size_bytes: int) -> None:
    """Leave exactly `[0, size_bytes)` of the staged chunks, or raise `PayloadIncomplete`."""
    last = (size_bytes - 1) // CHUNK_BYTES  # -1 when empty
    last_bytes = size_bytes - max(last, 0) * CHUNK_BYTES
    row = connection.execute(_LAST_CHUNK_BYTES, {"name": name, "last": last}).fetchone()
    if (row[0] if row else 0) < last_bytes:
        raise PayloadIncomplete
    row = connection.execute(_COUNT_WHOLE_CHUNKS, {"name": name, "last": last, "chunk_bytes": CHUNK_BYTES}).fetchone()
    if row and row[0] < last:
        raise PayloadIncomplete
    connection.execute(_CUT_LAST_CHUNK, {"name": name, "last": last, "last_bytes": last_bytes})
    connection.execute(_DROP_SURPLUS, {"name": name, "last": last})


def _slice(connection: Connection, name: str, start: int, end: int) -> bytes:
    """The stored bytes of `[start, end)` up to the first that is missing."""
    if start == end:
        return b""
    first, last = start // CHUNK_BYTES, (end - 1) // CHUNK_BYTES
    bounds = {"start": start, "end": end, "first": first, "last": last, "chunk_bytes": CHUNK_BYTES}
    pieces = []
    position = start
    with connection.cursor(binary=True) as cursor:
        for number, piece in cursor.execute(_SLICES, {"name": name, **bounds}):
            if number != position // CHUNK_BYTES:
                break
            pieces.append(piece)
            position += len(piece)
            if position % CHUNK_BYTES:
                break
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _chunk(connection: Connection, name: str, number: int) -> bytes:
    with connection.cursor(binary=True) as cursor:
        row = cursor.execute(_CHUNK, {"name": name, "number": number}).fetchone()
    return row[0] if row else b""


def _merged(stored: bytes, start: int, piece: Piece) -> Piece:
    if not stored and start == 0:
        return piece
    return b"".join((stored[:start].ljust(start, b"\0"), piece, stored[start + len(piece) :]))
