"""Which payload bytes travel more than once: reads HTTP as it passes through a proxy."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.faults import Direction

_DATA_PATH = re.compile(r"/data(\?|$)")
_RANGE = re.compile(r"bytes[= ](\d+)-")
_APPLICATION = "application"
_MOMENT_SECONDS = 0.05
_RECENT_TRANSFERS = 200

Headers = dict[str, str]


@dataclass
class Transfer:
    """One request or answer that carries bytes of a payload, from `start` on."""

    #: Node, method and address: the same for every attempt to transfer the same bytes to the same place.
    key: str
    start: int
    moved_bytes: int = 0
    #: How many of them had been moved before, by earlier transfers.
    repeated_bytes: int = 0
    moved_at: float = 0.0


@dataclass
class TransferMeter:
    """Adds up the transfers of any number of connections. `moved_bytes` of a transfer is what its sender has sent."""

    transfers: list[Transfer] = field(default_factory=list)
    _reached: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connection(self) -> ConnectionMeter:
        return ConnectionMeter(self)

    def begin(self, key: str, start: int) -> Transfer:
        transfer = Transfer(key, start)
        with self._lock:
            self.transfers.append(transfer)
        return transfer

    def move(self, transfer: Transfer, size_bytes: int) -> None:
        with self._lock:
            position = transfer.start + transfer.moved_bytes
            reached = self._reached.get(transfer.key, 0)
            transfer.repeated_bytes += max(0, min(reached, position + size_bytes) - position)
            transfer.moved_bytes += size_bytes
            transfer.moved_at = time.monotonic()
            self._reached[transfer.key] = max(reached, position + size_bytes)

    def under_way(self) -> set[str]:
        """What moved bytes a moment ago, in words."""
        now = time.monotonic()
        with self._lock:
            keys = [each.key for each in self.transfers[-_RECENT_TRANSFERS:] if now - each.moved_at < _MOMENT_SECONDS]
        return {_what(key) for key in keys}

    def moved(self) -> list[int]:
        """For every transfer: how many bytes."""
        with self._lock:
            return [each.moved_bytes for each in self.transfers]

    def repeats(self) -> list[int]:
        """For every transfer that sent something again: how many bytes."""
        with self._lock:
            return [each.repeated_bytes for each in self.transfers if each.repeated_bytes]


class ConnectionMeter:
    """One connection. Answers come in the order of the requests."""

    def __init__(self, meter: TransferMeter) -> None:
        self._meter = meter
        self._asked: deque[tuple[str, int]] = deque()
        self._sent: Transfer | None = None
        self._answered: Transfer | None = None
        self._streams = {
            Direction.UP: _MessageReader(self._request, lambda count: self._moved(self._sent, count)),
            Direction.DOWN: _MessageReader(self._answer, lambda count: self._moved(self._answered, count)),
        }

    def feed(self, direction: Direction, data: bytes) -> None:
        self._streams[direction].feed(data)

    def _request(self, first_line: str, headers: Headers) -> int:
        method, path, _ = first_line.split(" ", 2)
        key = f"{headers.get('x-sync-service-dest', _APPLICATION)} {method} {path}"
        is_data = _DATA_PATH.search(path) is not None
        self._asked.append((key if is_data and method == "GET" else "", _start(headers.get("range"))))
        self._sent = None
        if is_data and method == "PUT":
            self._sent = self._meter.begin(key, _start(headers.get("content-range")))
        return int(headers.get("content-length", 0))

    def _answer(self, first_line: str, headers: Headers) -> int:
        status = first_line.split(" ", 2)[1]
        if status.startswith("1"):
            return 0
        key, start = self._asked.popleft()
        self._answered = None
        if key and status in ("200", "206"):
            self._answered = self._meter.begin(key, start if status == "206" else 0)
        return 0 if status in ("204", "304") else int(headers.get("content-length", 0))

    def _moved(self, transfer: Transfer | None, count: int) -> None:
        if transfer is not None:
            self._meter.move(transfer, count)


class _MessageReader:
    """Cuts one direction of a connection into messages; bodies have to declare their length."""

    def __init__(self, on_head: Callable[[str, Headers], int], on_body: Callable[[int], None]) -> None:
        self._on_head = on_head
        self._on_body = on_body
        self._head = b""
        self._body_bytes = 0

    def feed(self, data: bytes) -> None:
        while data:
            if self._body_bytes:
                count = min(self._body_bytes, len(data))
                self._body_bytes -= count
                self._on_body(count)
                data = data[count:]
                continue
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = b""
            first_line, *lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            self._body_bytes = self._on_head(first_line, headers)


def _what(key: str) -> str:
    sender, method, _ = key.split(" ", 2)
    if sender == _APPLICATION:
        return "upload by an application" if method == "PUT" else "download by an application"
    return "upload by an edge" if method == "PUT" else "download by an edge"


def _start(header: str | None) -> int:
    found = _RANGE.match(header or "")
    return int(found[1]) if found else 0
