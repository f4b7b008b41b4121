"""Receivers of webhook calls on loopback, as badly behaved as a test wants them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Answerer = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Heard:
    """One request. `headers` are by name as it was spelled."""

    start_line: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Takes requests one connection each; answers them one after the other as `answers` say, the last of them for ever."""

    def __init__(self, answers: Sequence[bytes | Answerer], host: str, tls: ssl.SSLContext | None) -> None:
        self.heard: list[Heard] = []
        self._answers = list(answers)
        self._tls = tls
        self._listener = socket.create_server((host, 0))
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def replace_answers(self, *answers: bytes | Answerer) -> None:
        """From the next request on."""
        self._answers = [answers[0]] * len(self.heard) + list(answers)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with contextlib.suppress(OSError), connection:
            stream = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            with stream:
                self.heard.append(_read_request(stream))
                answer = self._answers[min(len(self.heard), len(self._answers)) - 1]
                if isinstance(answer, bytes):
                    stream.sendall(answer)
                else:
                    answer(stream)


@contextlib.contextmanager
def receiver(
    *answers: bytes | Answerer, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """On a port of its own until the context ends."""
    listening = Receiver(answers or [answer(204)], host, tls)
    try:
        yield listening
    finally:
        listening.close()


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A complete answer."""
    lines = [f"HTTP/1.1 {status} Whatever", *[f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]]
    if status != 204:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _read_request(stream: socket.socket) -> Heard:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(stream)
    head, _, body = received.partition(b"\r\n\r\n")
    start_line, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    while len(body) < int(headers.get("Content-Length", 0)):
        body += _some(stream)
    return Heard(start_line, headers, body)


def _some(stream: socket.socket) -> bytes:
    piece = stream.recv(65536)
    if not piece:
        raise ConnectionResetError
    return piece
