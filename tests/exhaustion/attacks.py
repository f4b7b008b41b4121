"""What a hostile client does, each way of it as a coroutine that goes on until it is told to stop.

Every attack comes from the hostile addresses in turn and counts what became of its attempts: statuses, `closed` for
connections the service ended without an answer, `refused` for those it did not take.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import cycle
from typing import TypeAlias

from tests.exhaustion.target import HOSTILE, HOSTILE_HOSTS, ORG, Address

Outcomes: TypeAlias = "Counter[str]"
Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_OBJECT = f"/api/v1/objects/{ORG}/hostile/h1"
_LARGE = f"/api/v1/objects/{ORG}/hostile/large"
_LARGE_BYTES = 32 << 20
_BOMBS = (
    b'{"meta":{"destinationsList":[' + b'"a:b",' * 2_000_000 + b'"a:b"]}}',
    b'{"meta":{"destinationPolicy":{"services":[' + b"{}," * 4_000_000 + b"{}]}}}",
    b"[" * 10_000_000,
    b'{"meta":' + b'{"x":' * 2_000_000,
)

#: New connections at a time: more than this and the attacker is busy with itself.
_AT_ONCE = 100
_DRIP_SECONDS = 1.0
_CONNECT_SECONDS = 10

_hosts = cycle(HOSTILE_HOSTS)


class Attacker:
    """Everything one attack shares."""

    def __init__(self, address: Address, count: int) -> None:
        self.address = address
        #: How many connections at a time, or attempts, according to the attack.
        self.count = count
        self.outcomes: Outcomes = Counter()
        self.stopped = asyncio.Event()

    async def each(self, one: Callable[[], Awaitable[None]], at_once: int = _AT_ONCE) -> None:
        """`count` of them, started a few at a time, and again whenever one has ended, until the attack is stopped."""
        starting = asyncio.Semaphore(at_once)

        async def again_and_again() -> None:
            while not self.stopped.is_set():
                async with starting:
                    await asyncio.sleep(0)
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await one()

        await self._until_stopped([asyncio.create_task(again_and_again()) for _ in range(self.count)])

    async def _until_stopped(self, tasks: list[asyncio.Task[None]]) -> None:
        await self.stopped.wait()
        pending = set(tasks)
        while pending:
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=1)

    @contextlib.asynccontextmanager
    async def connected(self, receive_buffer_bytes: int = 0) -> AsyncIterator[Stream]:
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        try:
            sock.bind((next(_hosts), 0))
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.get_running_loop().sock_connect(sock, (self.address.host, self.address.port))
            limit = receive_buffer_bytes or 1 << 16
            reader, writer = await asyncio.open_connection(sock=sock, limit=limit)
        except (OSError, TimeoutError):
            sock.close()
            self.outcomes["refused"] += 1
            await asyncio.sleep(0.2)
            raise OSError("not connected") from None
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def note_answer(self, reader: asyncio.StreamReader) -> None:
        """Count the status of the next answer, and skip its body."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError):
            self.outcomes["closed"] += 1
            await asyncio.sleep(0.05)
            raise
        self.outcomes[head[9:12].decode()] += 1
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line.split(b":")[1]))


def _head(method: str, target: str, *fields: str, key: str = HOSTILE.key, secret: str = HOSTILE.secret) -> bytes:
    basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
    lines = [f"{method} {target} HTTP/1.1", "Host: h", *fields, f"Authorization: Basic {basic}"]
    return "\r\n".join([*lines, "", ""]).encode()


async def idle(attacker: Attacker) -> None:
    """Connections that are kept alive and ask for nothing more."""

    async def one() -> None:
        async with attacker.connected() as (reader, writer):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
            await attacker.note_answer(reader)
            await reader.read()
            attacker.outcomes["closed"] += 1

    await attacker.each(one)


async def slow_heads(attacker: Attacker) -> None:
    """Heads of requests that come a byte at a time."""

    async def one() -> None:
        async with attacker.connected() as (reader, writer):
            writer.write(b"GET /livez HTTP/1.1\r\nX: ")
            await _drip(writer)
            await attacker.note_answer(reader)

    await attacker.each(one)


async def slow_bodies(attacker: Attacker) -> None:
    """JSON bodies that come a byte at a time, each announced as large as it may be."""
    await _put_object(attacker)

    async def one() -> None:
        async with attacker.connected() as (reader, writer):
            writer.write(_head("PUT", _OBJECT, "Content-Length: 16000000") + b'{"meta":')
            await _drip(writer)
            await attacker.note_answer(reader)

    await attacker.each(one)


async def endless_uploads(attacker: Attacker) -> None:
    """Uploads of data that stop after the first 100 KB."""
    await _put_object(attacker)

    async def one() -> None:
        async with attacker.connected() as (reader, writer):
            writer.write(_head("PUT", f"{_OBJECT}/data", "Content-Length: 1000000000") + bytes(100_000))
            await attacker.note_answer(reader)

    await attacker.each(one)


async def slow_readers(attacker: Attacker) -> None:
    """Downloads that nobody reads."""
    await _put_object(attacker, "large", bytes(_LARGE_BYTES))

    async def one() -> None:
        async with attacker.connected(receive_buffer_bytes=4096) as (_, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(_head("GET", f"{_LARGE}/data"))
            await asyncio.sleep(60)

    await attacker.each(one)


async def json_bombs(attacker: Attacker) -> None:
    """Small texts of very many values."""
    bombs = cycle(_BOMBS)

    async def one() -> None:
        bomb = next(bombs)
        async with attacker.connected() as (reader, writer):
            writer.write(_head("PUT", _OBJECT, f"Content-Length: {len(bomb)}") + bomb)
            await attacker.note_answer(reader)

    await attacker.each(one)


async def header_floods(attacker: Attacker) -> None:
    """Requests with thousands of header fields."""
    flood = _head("GET", _OBJECT, *[f"X-{number}: y" for number in range(6000)])

    async def one() -> None:
        async with attacker.connected() as (reader, writer):
            writer.write(flood)
            await attacker.note_answer(reader)

    await attacker.each(one)


async def range_storms(attacker: Attacker) -> None:
    """Single bytes of a large object, as fast as they come."""
    await _put_object(attacker, "large", bytes(_LARGE_BYTES))
    ranged = [_head("GET", f"{_LARGE}/data", f"Range: bytes={at}-{at}") for at in range(0, _LARGE_BYTES, 1 << 20)]
    asked = cycle(ranged)

    async def one() -> None:
        async with attacker.connected() as (reader, writer):
            while not attacker.stopped.is_set():
                writer.write(next(asked))
                await attacker.note_answer(reader)

    await attacker.each(one)


async def wrong_logins(attacker: Attacker) -> None:
    """Guesses of an honest caller's secret, each another one: `count` of them in all."""
    left = attacker.count
    attacker.count = min(attacker.count, 200)

    async def one() -> None:
        nonlocal left
        async with attacker.connected() as (reader, writer):
            while not attacker.stopped.is_set():
                left -= 1
                if left < 0:
                    attacker.stopped.set()
                    return
                writer.write(_head("GET", _OBJECT, key="honest", secret=f"guess {left}"))
                await attacker.note_answer(reader)

    await attacker.each(one)


async def floods(attacker: Attacker) -> None:
    """Requests without credentials, as fast as they are answered."""

    async def one() -> None:
        async with attacker.connected() as (reader, writer):
            while not attacker.stopped.is_set():
                writer.write(b"GET /api/v1/objects/acme/t/x HTTP/1.1\r\nHost: h\r\n\r\n")
                await attacker.note_answer(reader)

    await attacker.each(one)


async def _put_object(attacker: Attacker, object_id: str = "h1", data: bytes = b"") -> None:
    path = f"/api/v1/objects/{ORG}/hostile/{object_id}"
    body = f'{{"meta":{{"objectType":"hostile","objectID":"{object_id}","destinationType":"edge"}}}}'.encode()
    async with attacker.connected() as (reader, writer):
        for target, content in ((path, body), *([(f"{path}/data", data)] if data else [])):
            writer.write(_head("PUT", target, f"Content-Length: {len(content)}") + content)
            await attacker.note_answer(reader)


async def _drip(writer: asyncio.StreamWriter) -> None:
    """A byte a second, until the other side has had enough."""
    for _ in range(600):
        await asyncio.sleep(_DRIP_SECONDS)
        if writer.is_closing():
            return
        writer.write(b"x")
        try:
            await writer.drain()
        except OSError:
            return


ATTACKS: dict[str, Callable[[Attacker], Awaitable[None]]] = {
    "idle connections": idle,
    "slow heads": slow_heads,
    "slow bodies": slow_bodies,
    "endless uploads": endless_uploads,
    "slow readers": slow_readers,
    "JSON bombs": json_bombs,
    "header floods": header_floods,
    "range storms": range_storms,
    "wrong logins": wrong_logins,
    "request floods": floods,
}

#: Those that are over after so many attempts.
OF_ATTEMPTS = frozenset({"wrong logins"})
