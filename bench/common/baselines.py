"""What the machine can do without us: the physical floor each figure is read against."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import time
from pathlib import Path

from bench.common.client import HOST
from bench.common.engines import Engine

_PIECE_BYTES = 1 << 20
_COMMITS = 1000


def bare_commits(engine: Engine, count: int = _COMMITS) -> list[float]:
    """Seconds each of `count` durable inserts of a 1 KB row took, one after the other on one connection."""
    return _postgres_commits(engine.baseline_url, count) if engine.url else _sqlite_commits(engine.directory, count)


def _sqlite_commits(directory: Path, count: int) -> list[float]:
    path = directory / "baseline.sqlite3"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS baseline (id INTEGER PRIMARY KEY, data BLOB)")
    seconds = []
    for _ in range(count):
        data = os.urandom(1024)
        started = time.perf_counter()
        connection.execute("INSERT INTO baseline (data) VALUES (?)", (data,))
        seconds.append(time.perf_counter() - started)
    connection.close()
    path.unlink()
    return seconds


def _postgres_commits(url: str, count: int) -> list[float]:
    import psycopg

    seconds = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS baseline (id bigserial PRIMARY KEY, data bytea)")
        for _ in range(count):
            data = os.urandom(1024)
            started = time.perf_counter()
            connection.execute("INSERT INTO baseline (data) VALUES (%s)", (data,))
            seconds.append(time.perf_counter() - started)
        connection.execute("DROP TABLE baseline")
    return seconds


def durable_write(source: Path, target: Path, sync_every_bytes: int = 0) -> float:
    """Seconds to write the bytes of `source` (read before the clock starts, piece by piece) durably to `target`.

    With one sync at the end, or one more each `sync_every_bytes`.
    """
    seconds = 0.0
    unsynced = 0
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        while piece := reader.read(_PIECE_BYTES):
            started = time.perf_counter()
            writer.write(piece)
            unsynced += len(piece)
            if sync_every_bytes and unsynced >= sync_every_bytes:
                os.fdatasync(writer.fileno())
                unsynced = 0
            seconds += time.perf_counter() - started
        started = time.perf_counter()
        os.fdatasync(writer.fileno())
        seconds += time.perf_counter() - started
    target.unlink()
    return seconds


def raw_copy(source: Path, target: Path) -> float:
    """Seconds to read `source` and write it durably to `target`."""
    started = time.perf_counter()
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        while piece := reader.read(_PIECE_BYTES):
            writer.write(piece)
        os.fdatasync(writer.fileno())
    seconds = time.perf_counter() - started
    target.unlink()
    return seconds


def loopback_copy(source: Path) -> float:
    """Seconds to send `source` through a TCP connection on this machine and receive it into memory."""
    with socket.create_server((HOST, 0)) as listener:
        sender = threading.Thread(target=_send_to, args=(listener.getsockname()[1], source))
        buffer = bytearray(_PIECE_BYTES)
        started = time.perf_counter()
        sender.start()
        connection, _ = listener.accept()
        with connection:
            while connection.recv_into(buffer):
                pass
        seconds = time.perf_counter() - started
        sender.join()
    return seconds


def _send_to(port: int, source: Path) -> None:
    with socket.create_connection((HOST, port)) as connection, source.open("rb") as file:
        connection.sendfile(file)
