"""An honest caller, who asks at a steady pace and measures how long each answer takes from when it should have been asked."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.exhaustion.target import HONEST, HONEST_HOST, ORG, Address

_CONNECTIONS = 8
_TIMEOUT_SECONDS = 30.0


@dataclass
class Experience:
    """What became of the requests."""

    latencies_seconds: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    def add(self, other: Experience) -> None:
        self.latencies_seconds += other.latencies_seconds
        self.outcomes += other.outcomes

    @property
    def failures(self) -> int:
        return sum(count for outcome, count in self.outcomes.items() if not outcome.startswith("2"))

    def percentile_ms(self, percent: float) -> float:
        ordered = sorted(self.latencies_seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000 if ordered else float("nan")


async def ask_steadily(address: Address, seconds: float, per_second: float) -> Experience:
    """Publish small objects and read one, in turns. An answer that comes late makes none of the others late."""
    experience = Experience()
    stream = await asyncio.open_connection(address.host, address.port, local_addr=(HONEST_HOST, 0))
    await _answer(stream, _request("PUT", "read"))
    stream[1].close()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    askers = [asyncio.create_task(_ask(address, waiting, experience)) for _ in range(_CONNECTIONS)]
    began_at = time.perf_counter()
    for number in range(int(seconds * per_second)):
        due_at = began_at + number / per_second
        await asyncio.sleep(max(0.0, due_at - time.perf_counter()))
        request = _request("GET", "read") if number % 2 else _request("PUT", f"o{number % 100}")
        waiting.put_nowait((due_at, request))
    await asyncio.wait_for(waiting.join(), _TIMEOUT_SECONDS * 4)
    for asker in askers:
        asker.cancel()
    await asyncio.gather(*askers, return_exceptions=True)
    return experience


async def _ask(address: Address, waiting: asyncio.Queue[tuple[float, bytes]], experience: Experience) -> None:
    stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    try:
        while True:
            due_at, request = await waiting.get()
            try:
                async with asyncio.timeout(_TIMEOUT_SECONDS):
                    if stream is None:
                        stream = await asyncio.open_connection(address.host, address.port, local_addr=(HONEST_HOST, 0))
                    outcome = await _answer(stream, request)
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                outcome = type(error).__name__
            if not outcome.isdigit() and stream is not None:
                stream[1].close()
                stream = None
            experience.outcomes[outcome] += 1
            experience.latencies_seconds.append(time.perf_counter() - due_at)
            waiting.task_done()
    finally:
        if stream is not None:
            stream[1].close()


async def _answer(stream: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> str:
    reader, writer = stream
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.split(b":")[1]))
    return head[9:12].decode()


def _request(method: str, name: str) -> bytes:
    basic = base64.b64encode(f"{HONEST.key}:{HONEST.secret}".encode()).decode()
    meta = f'{{"objectType":"honest","objectID":"{name}","destinationType":"edge"}}'
    body = f'{{"meta":{meta},"data":"aGVsbG8="}}' if method == "PUT" else ""
    return (
        f"{method} /api/v1/objects/{ORG}/honest/{name} HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {basic}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
