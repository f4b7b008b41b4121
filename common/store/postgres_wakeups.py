"""Wake-ups between replicas: what one commits, the others hear about a few milliseconds later.

They travel by NOTIFY on a connection of their own, several commits together: inside the writing transactions they would
make all of those queue for one lock. Nothing depends on them, so while the connection is down they are simply lost.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec
import psycopg

from common.store.postgres_session import Connection
from common.sync.wakeups import EVERYTHING

_CHANNEL = "edgesync_wakeups"
_PAUSE_SECONDS = 0.01
#: PostgreSQL takes less than 8000 bytes.
_LARGEST_PAYLOAD_BYTES = 7_900
_MOST_PAYLOADS = 8
_FIRST_RECONNECT_SECONDS = 0.1
_LONGEST_RECONNECT_SECONDS = 30.0

log = logging.getLogger(__name__)


class PostgresWakeups:
    """One thread with one connection that speaks and listens. `on_remote` runs in it and has to be quick."""

    def __init__(self, connect: Callable[[], Connection], on_remote: Callable[[frozenset[str]], None]) -> None:
        self._connect = connect
        self._on_remote = on_remote
        self._pending: set[str] = set()
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._bell_out, self._bell_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="postgres-wakeups", daemon=True)
        self._thread.start()

    def announce(self, topics: Iterable[str]) -> None:
        """Tell the other replicas soon. Never waits, never fails."""
        with self._lock:
            is_first = not self._pending
            self._pending.update(topics)
            if is_first and not self._is_closed.is_set():
                self._ring()

    def close(self) -> None:
        """Idempotent."""
        with self._lock:
            if self._is_closed.is_set():
                return
            self._is_closed.set()
            self._ring()
        self._thread.join()
        os.close(self._bell_in)
        os.close(self._bell_out)

    def _run(self) -> None:
        failures = 0
        while not self._is_closed.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(f"LISTEN {_CHANNEL}")
                    if failures:
                        self._hear(frozenset({EVERYTHING}))
                    failures = 0
                    self._converse(connection)
            except psycopg.Error as error:
                failures += 1
                log.warning("wake_ups_interrupted", extra={"fields": {"reason": " ".join(str(error).split())}})
                self._is_closed.wait(min(_LONGEST_RECONNECT_SECONDS, _FIRST_RECONNECT_SECONDS * 2 ** min(failures, 10)))

    def _converse(self, connection: Connection) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(self._bell_out, selectors.EVENT_READ)
            while not self._is_closed.is_set():
                selector.select()
                self._listen(connection)
                if self._speak(connection):
                    self._listen(connection)  # what came in with the answer makes no socket readable any more
                    time.sleep(_PAUSE_SECONDS)

    def _listen(self, connection: Connection) -> None:
        own = connection.info.backend_pid
        topics: set[str] = set()
        for notification in connection.notifies(timeout=0):
            if notification.pid != own:
                topics.update(_topics_of(notification.payload))
        if topics:
            self._hear(frozenset(topics))

    def _speak(self, connection: Connection) -> bool:
        """Send what is pending; whether there was anything."""
        with self._lock:
            topics, self._pending = self._pending, set()
            try:
                os.read(self._bell_out, 4096)
            except BlockingIOError:
                pass
        for payload in _payloads_of(topics):
            connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, payload))
        return bool(topics)

    def _hear(self, topics: frozenset[str]) -> None:
        try:
            self._on_remote(topics)
        except Exception:
            log.exception("wake_up_failed")

    def _ring(self) -> None:
        try:
            os.write(self._bell_in, b"!")
        except BlockingIOError:
            pass  # it is ringing already


def _payloads_of(topics: Iterable[str]) -> Iterator[str]:
    """Messages that fit, as few as possible; one that means everything instead of very many."""
    payloads: list[list[str]] = [[]]
    size = 0
    for topic in sorted(topics):
        topic_bytes = len(msgspec.json.encode(topic)) + 1
        if size + topic_bytes > _LARGEST_PAYLOAD_BYTES and payloads[-1]:
            payloads.append([])
            size = 0
        payloads[-1].append(topic)
        size += topic_bytes
        if len(payloads) > _MOST_PAYLOADS or topic_bytes > _LARGEST_PAYLOAD_BYTES:
            payloads = [[EVERYTHING]]
            break
    return (msgspec.json.encode(each).decode() for each in payloads if each)


def _topics_of(payload: str) -> list[str]:
    try:
        return msgspec.json.decode(payload, type=list[str])
    except msgspec.DecodeError:
        return [EVERYTHING]  # of a newer version, which has its own way to say it
