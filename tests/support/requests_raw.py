"""Requests as bytes on a socket, for what no HTTP client would send."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.support.requests_asgi import Reply, basic

_SECONDS = 10.0


class RawConnection:
    """One connection to a server under test."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=_SECONDS)
        self._file = self._socket.makefile("rb")

    def send(self, raw: bytes) -> None:
        self._socket.sendall(raw)

    def send_head(self, method: str, target: str, *headers: str, actor: str | None = "ann@o") -> None:
        """The request line and headers, credentials of `actor` included."""
        lines = [f"{method} {target} HTTP/1.1", "Host: node.test", *headers]
        if actor is not None:
            lines.append(f"Authorization: {basic(actor)}")
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def reply(self, method: str = "GET") -> Reply | None:
        """The next reply, read as its framing says; None when the server closes without one."""
        try:
            status_line = self._file.readline()
        except ConnectionResetError:
            return None
        if not status_line:
            return None
        headers = dict(self._headers())
        status = int(status_line.split()[1])
        if method == "HEAD" or status in (204, 304):
            return Reply(status, headers, b"")
        return Reply(status, headers, self._file.read(int(headers["content-length"])))

    def wait_to_continue(self) -> None:
        """The server has seen the head of a request with `Expect: 100-continue` and wants its body."""
        assert self._file.readline().startswith(b"HTTP/1.1 100 ")
        assert self._file.readline() == b"\r\n"

    def _headers(self) -> Iterator[tuple[str, str]]:
        while line := self._file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            yield name.lower(), value.strip()

    def is_closed_by_server(self) -> bool:
        """Waits for the end of the stream; anything else that comes is an answer too."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def set_receive_buffer(self, size_bytes: int) -> None:
        """How much the server can send without this side reading it."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size_bytes)

    def finish_sending(self) -> None:
        """Half-close: the server sees the end of the stream and may still answer, if it has not closed already."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Vanish as a crashed client does, without a proper end."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[RawConnection]:
    connection = RawConnection(address)
    try:
        yield connection
    finally:
        connection.close()


def still_serves(address: tuple[str, int], target: str) -> bool:
    """Does a new connection get 200 for `target`?"""
    with connected(address) as connection:
        connection.send_head("GET", target)
        reply = connection.reply()
        return reply is not None and reply.status == 200
