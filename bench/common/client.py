"""A client lean enough not to be what is measured: raw sockets, requests built before the clock starts."""

from __future__ import annotations

import base64
import json
import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

HOST = "127.0.0.1"
ORG = "o"
ADMIN_KEY = f"admin@{ORG}"
NODE_TYPE = "edge"

_RECEIVE_BYTES = 1 << 20
_TIMEOUT_SECONDS = 120.0


class RequestFailed(Exception):
    """A service answered something else than 2xx."""


class Answer(NamedTuple):
    status: int
    body: bytes


def build(method: str, path: str, body: bytes = b"", *, app_key: str = ADMIN_KEY, headers: Sequence[str] = ()) -> bytes:
    """A complete HTTP/1.1 request; `headers` are lines without their ends."""
    credentials = base64.b64encode(f"{app_key}:secret".encode()).decode()
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {HOST}",
        f"Authorization: Basic {credentials}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def put_object(
    object_type: str, object_id: str, data: bytes | None = None, *, has_org: bool = True, **meta: object
) -> bytes:
    """`PUT /api/v1/objects/…` on a CSS, or on an ESS when not `has_org`; `meta` are further members of the metadata."""
    members = {"objectType": object_type, "objectID": object_id, **meta}
    body: dict[str, object] = {"meta": members}
    if data is not None:
        body["data"] = base64.b64encode(data).decode()
    return build("PUT", object_path(object_type, object_id, has_org=has_org), json.dumps(body).encode())


def object_path(object_type: str, object_id: str, operation: str = "", *, has_org: bool = True) -> str:
    org = f"{ORG}/" if has_org else ""
    return f"/api/v1/objects/{org}{object_type}/{object_id}" + (f"/{operation}" if operation else "")


def node_request(method: str, path: str, node_id: str, *, headers: Sequence[str] = ()) -> bytes:
    """A request of the node interface, as node `node_id`."""
    node = f"{ORG}/{NODE_TYPE}/{node_id}"
    return build(method, path, app_key=node, headers=[f"X-Sync-Service-Dest: {node}", *headers])


def register_node(node_id: str) -> bytes:
    return node_request("PUT", f"/spi/v1/register-new/{ORG}/{NODE_TYPE}/{node_id}", node_id)


def poll(node_id: str) -> bytes:
    """A poll of the node interface that does not wait."""
    return node_request("GET", "/spi/v1/objects/", node_id)


class Connection:
    """One kept-alive connection, one request at a time."""

    def __init__(self, port: int) -> None:
        self._socket = connect(port)
        self._socket.settimeout(_TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def ask(self, request: bytes) -> Answer:
        """Raises RequestFailed for an answer beyond 2xx, 404 excepted."""
        self._socket.sendall(request)
        return self._answer()

    def send_file(self, path: str, source: Path) -> Answer:
        """PUT the file's bytes without copying them through this process."""
        size = source.stat().st_size
        head = build("PUT", path).replace(b"Content-Length: 0", f"Content-Length: {size}".encode())
        self._socket.sendall(head)
        with source.open("rb") as file:
            self._socket.sendfile(file)
        return self._answer()

    def receive(self, request: bytes, use: Callable[[memoryview], object] | None = None) -> int:
        """Hand the body of the answer to `use` piece by piece, or drop it; its size in bytes. Raises RequestFailed."""
        self._socket.sendall(request)
        buffer = bytearray(_RECEIVE_BYTES)
        view = memoryview(buffer)
        head, received = self._head()
        status, length = _parse_head(head)
        _check(status, received)
        if use is not None:
            use(memoryview(received))
        count = len(received)
        while count < length:
            taken = self._socket.recv_into(buffer)
            if taken == 0:
                raise ConnectionError(f"closed after {count} of {length} bytes")
            if use is not None:
                use(view[:taken])
            count += taken
        return count

    def _answer(self) -> Answer:
        head, body = self._head()
        status, length = _parse_head(head)
        while len(body) < length:
            body += self._received()
        if status != 404:
            _check(status, body)
        return Answer(status, body)

    def _head(self) -> tuple[bytes, bytes]:
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._received()
        return received[:end], received[end + 4 :]

    def _received(self) -> bytes:
        piece = self._socket.recv(_RECEIVE_BYTES)
        if not piece:
            raise ConnectionError("the service closed the connection")
        return piece


def connect(port: int) -> socket.socket:
    connection = socket.create_connection((HOST, port), timeout=_TIMEOUT_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


@dataclass(slots=True)
class LoadRun:
    """What a closed loop of requests came to."""

    elapsed_seconds: float = 0.0
    client_cpu_seconds: float = 0.0
    latencies_seconds: list[float] = field(default_factory=list)
    #: When each answer came, counted from the start.
    answered_seconds: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.latencies_seconds)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.count / self.elapsed_seconds


def closed_loop(port: int, requests: Sequence[bytes], concurrency: int, seconds: float = 600.0) -> LoadRun:
    """Send `requests` in order over `concurrency` connections, each waiting for its answer before its next request.

    Ends with the requests or after `seconds`. Every answer has to be 204. Raises RequestFailed.
    """
    run = LoadRun()
    sockets = [connect(port) for _ in range(min(concurrency, len(requests)))]
    by_descriptor = {each.fileno(): each for each in sockets}
    sent_at: dict[int, float] = {}
    epoll = select.epoll()
    clock = time.perf_counter
    left = iter(requests)
    cpu_started, started = time.process_time(), clock()
    try:
        for descriptor, each in by_descriptor.items():
            epoll.register(descriptor, select.EPOLLIN)
            sent_at[descriptor] = clock()
            each.sendall(next(left))
        waiting = len(sockets)
        while waiting:
            for descriptor, _ in epoll.poll():
                each = by_descriptor[descriptor]
                _expect_204(each.recv(4096))
                now = clock()
                run.latencies_seconds.append(now - sent_at[descriptor])
                run.answered_seconds.append(now - started)
                request = next(left, None) if now - started < seconds else None
                if request is None:
                    waiting -= 1
                    continue
                sent_at[descriptor] = clock()
                each.sendall(request)
        run.elapsed_seconds = clock() - started
        run.client_cpu_seconds = time.process_time() - cpu_started
    finally:
        epoll.close()
        for each in sockets:
            each.close()
    return run


def _expect_204(answer: bytes) -> None:
    if not (answer.startswith(b"HTTP/1.1 204") and answer.endswith(b"\r\n\r\n")):
        raise RequestFailed(answer[:300].decode(errors="replace"))


def _parse_head(head: bytes) -> tuple[int, int]:
    """Status and length of the body."""
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        elif name.lower() == b"transfer-encoding":
            raise RequestFailed("an answer without Content-Length")
    return int(head[9:12]), length


def _check(status: int, body: bytes) -> None:
    if not 200 <= status < 300:
        raise RequestFailed(f"{status} {body[:300].decode(errors='replace')}")
