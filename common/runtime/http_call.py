"""One HTTP request to one address, all of it within one time limit.

A client library follows the name of a URL wherever it leads, and its time limits begin anew with each byte. Here the
caller has looked the name up and chosen the address, and a receiver that answers ever so slowly gains nothing.
"""

from __future__ import annotations

import socket
import ssl
import string
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, quote

import h11

from common.domain.webhooks import port_of
from common.runtime.network_policy import Address

_READ_BYTES = 16 * 1024
_MOST_HEAD_BYTES = 32 * 1024
#: What follows is not read: nobody looks at it.
_MOST_BODY_BYTES = 64 * 1024
_SEND_BYTES = 64 * 1024

TlsContext = Callable[[], ssl.SSLContext]


class Deadline:
    """The end of the time limit."""

    def __init__(self, seconds: float) -> None:
        self.limit_seconds = seconds
        self._ends_at = time.monotonic() + seconds

    def left_seconds(self) -> float:
        """More than 0. Raises TimeoutError."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of a response whose body arrived as well; the body is dropped."""

    status: int
    #: Where a redirect leads; empty without one.
    location: str


def post(
    url: SplitResult, address: Address, headers: dict[str, str], body: bytes, deadline: Deadline, tls: TlsContext
) -> Answer:
    """POST to the host of `url` at `address`. A certificate is checked against the host's name.

    Raises OSError (TimeoutError and ssl.SSLError among them) and h11.ProtocolError.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD_BYTES)
    head = h11.Request(
        method="POST",
        target=target_of(url),
        headers=[
            ("Host", host_header(url)),
            *headers.items(),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ],
    )
    request = b"".join(connection.send(event) or b"" for event in (head, h11.Data(data=body), h11.EndOfMessage()))
    with connected(url, address, deadline, tls) as stream:
        send_all(stream, request, deadline)
        return _read_answer(stream, connection, deadline)


def host_header(url: SplitResult) -> str:
    """Host and, where the URL names one, port."""
    host = (url.hostname or "").encode("idna").decode() if ":" not in (url.hostname or "") else f"[{url.hostname}]"
    return host if url.port is None else f"{host}:{url.port}"


def target_of(url: SplitResult) -> str:
    """What the request line says."""
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return quote(target, safe=string.punctuation)


def connected(url: SplitResult, address: Address, deadline: Deadline, tls: TlsContext) -> socket.socket:
    """A connection to the host of `url` at `address`, whose certificate has been checked. Raises OSError."""
    stream = socket.create_connection((str(address), port_of(url)), deadline.left_seconds())
    if url.scheme != "https":
        return stream
    try:
        stream.settimeout(deadline.left_seconds())
        # With this name the server chooses its certificate, and by this name it is checked.
        return tls().wrap_socket(stream, server_hostname=url.hostname)
    except BaseException:
        stream.close()
        raise


def send_all(stream: socket.socket, data: bytes, deadline: Deadline) -> None:
    """Raises OSError."""
    view = memoryview(data)
    while view:
        stream.settimeout(deadline.left_seconds())
        view = view[stream.send(view[:_SEND_BYTES]) :]


def _read_answer(stream: socket.socket, connection: h11.Connection, deadline: Deadline) -> Answer:
    answer: Answer | None = None
    body_bytes = 0
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            stream.settimeout(deadline.left_seconds())
            connection.receive_data(stream.recv(_READ_BYTES))
        elif isinstance(event, h11.Response):
            locations = [value for name, value in event.headers if name == b"location"]
            answer = Answer(event.status_code, locations[0].decode("latin-1") if locations else "")
        elif isinstance(event, h11.Data):
            body_bytes += len(event.data)
        if answer is not None and (isinstance(event, h11.EndOfMessage) or body_bytes > _MOST_BODY_BYTES):
            return answer
