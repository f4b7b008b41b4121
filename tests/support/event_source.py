"""A client of server-sent events: reads as they come, and remembers where it was as a browser does."""

from __future__ import annotations

import json
import select
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self

from tests.support.requests_asgi import basic

WAIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Event:
    """One event, or what else came between two empty lines."""

    name: str = ""
    id: str = ""
    data: str = ""
    retry: str = ""
    is_comment: bool = False

    def json(self) -> Any:
        return json.loads(self.data)


@dataclass(slots=True)
class EventParser:
    """Bytes of a response in chunked coding to events, in any pieces."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    #: The response came to its proper end.
    is_finished: bool = False
    _raw: bytes = b""
    _text: bytes = b""

    def feed(self, data: bytes) -> list[Event]:
        self._raw += data
        if not self.status and not self._take_head():
            return []
        self._take_chunks()
        *blocks, self._text = self._text.split(b"\n\n")
        return [_event(block.decode()) for block in blocks]

    def _take_head(self) -> bool:
        head, end, rest = self._raw.partition(b"\r\n\r\n")
        if not end:
            return False
        status_line, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(status_line.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._raw = rest
        return True

    def _take_chunks(self) -> None:
        while True:
            size_line, end, rest = self._raw.partition(b"\r\n")
            if not end:
                return
            size = int(size_line, 16)
            if len(rest) < size + 2:
                return
            self._text += rest[:size]
            self._raw = rest[size + 2 :]
            if size == 0:
                self.is_finished = True
                return


class EventSource:
    """One connection. Not for several threads."""

    def __init__(
        self,
        address: tuple[str, int],
        target: str,
        *,
        last_event_id: str = "",
        actor: str = "ann@o",
        secret: str = "unused",
        receive_buffer_bytes: int = 0,
    ) -> None:
        self.last_event_id = last_event_id
        self.parser = EventParser()
        self.events: deque[Event] = deque()
        self.is_ended = False
        self._socket = socket.socket()
        if receive_buffer_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self._socket.settimeout(WAIT_SECONDS)
        self._socket.connect(address)
        lines = [
            f"GET {target} HTTP/1.1",
            "Host: node.test",
            "Accept: text/event-stream",
            f"Authorization: {basic(actor, secret)}",
        ]
        if last_event_id:
            lines.append(f"Last-Event-ID: {last_event_id}")
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def opened(self) -> Self:
        """Wait for the head of the answer."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.parser.status:
            assert self.receive(deadline - time.monotonic()), "no answer"
        return self

    def receive(self, seconds: float) -> bool:
        """Read once, waiting up to so long; whether anything came. The end of the stream is noted."""
        if self.is_ended or not select.select([self._socket], [], [], max(seconds, 0))[0]:
            return False
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        self.is_ended = not data
        self.events += self.parser.feed(data)
        self.is_ended |= self.parser.is_finished
        return True

    def update(self, seconds: float = WAIT_SECONDS) -> Event:
        """The next update; fails when none comes in time."""
        found = self.update_within(seconds)
        assert found is not None, "no update came"
        return found

    def update_within(self, seconds: float) -> Event | None:
        """The next update, if one comes in time and the stream does not end before."""
        deadline = time.monotonic() + seconds
        while True:
            while self.events:
                event = self.events.popleft()
                if event.name == "update":
                    self.last_event_id = event.id
                    return event
            if not self.receive(deadline - time.monotonic()):
                return None

    def names(self, count: int) -> list[str]:
        """The object ids of so many updates."""
        return [self.update().json()["objectID"] for _ in range(count)]

    def wait_for_end(self) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.is_ended:
            assert self.receive(deadline - time.monotonic()), "the stream goes on"


def _event(block: str) -> Event:
    members: dict[str, str] = {}
    is_comment = False
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        if name:
            members[name] = value.removeprefix(" ")
        else:
            is_comment = True
    return Event(
        members.get("event", ""), members.get("id", ""), members.get("data", ""), members.get("retry", ""), is_comment
    )
