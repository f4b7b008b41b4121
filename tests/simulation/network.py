"""Requests between processes: one that loses them, holds them back, repeats them and cuts them off, and one that does not."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from urllib.parse import unquote

import httpx
from starlette.types import Message, Scope

from common.domain.errors import SyncError
from tests.simulation.processes import Process
from tests.simulation.scheduler import Died, Scheduler


@dataclass
class Faults:
    """Chances per request; all zero is a network that works."""

    lost_request: float = 0.0
    lost_answer: float = 0.0
    #: Arrives when its sender has long given up.
    held: float = 0.0
    #: Arrives a second time, as proxies do it.
    repeated: float = 0.0
    #: Ends at some byte of the body, of the request or of the answer.
    cut: float = 0.0
    latency_seconds: float = 0.02


class ServerCall:
    """One request as the server sees it, and what the server answers."""

    _count = 0

    def __init__(
        self, process: Process, label: str, method: str, target: str, headers: list[tuple[bytes, bytes]]
    ) -> None:
        path, _, query = target.partition("?")
        self.process = process
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.is_over = False
        self.failure: BaseException | None = None
        self._incoming: deque[Message] = deque()
        self._arrived = asyncio.Event()
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": headers,
        }
        self._name = f"{label} -> {process.name}: {method} {target}"
        self._task = process.scheduler.loop.create_task(self._serve(scope), name=label)
        process.tasks.add(self._task)
        self._task.add_done_callback(process.tasks.discard)

    @property
    def has_ended(self) -> bool:
        return self.is_over or not self.process.is_alive

    def body(self, piece: bytes, *, is_last: bool) -> None:
        self._push({"type": "http.request", "body": piece, "more_body": not is_last})

    def hang_up(self) -> None:
        self._push({"type": "http.disconnect"})

    def _push(self, message: Message) -> None:
        self._incoming.append(message)
        self._arrived.set()

    async def _serve(self, scope: Scope) -> None:
        app = self.process.app
        assert app is not None
        try:
            await app(scope, self._receive, self._send)
        except (SyncError, asyncio.CancelledError, Died):
            pass  # after the head of the answer: the connection breaks
        except BaseException as error:  # noqa: BLE001 - shown by the world
            self.failure = error
        finally:
            self.is_over = True
            if self.status != 404:
                self.process.scheduler.note(f"{self._name} {self.status} {_told(self.pieces)}")

    async def _receive(self) -> Message:
        while not self._incoming:
            self._arrived.clear()
            await self._arrived.wait()
        # Who has hung up stays away.
        return self._incoming[0] if self._incoming[0]["type"] == "http.disconnect" else self._incoming.popleft()

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        elif message.get("body"):
            self.pieces.append(bytes(message["body"]))


def _told(pieces: list[bytes]) -> str:
    """An answer in few words: of a poll what it brings."""
    body = b"".join(pieces)
    if not body.startswith(b'[{"Type"'):
        return ""
    return " ".join(f"{item['Type']} {item['MetaData']['version']}" for item in json.loads(body))


class Link(httpx.BaseTransport):
    """The way of one edge to the cloud."""

    def __init__(
        self, name: str, scheduler: Scheduler, random: Random, faults: Faults, server: Callable[[], Process | None]
    ) -> None:
        self.is_cut_off = False
        self._name = name
        self._scheduler = scheduler
        self._random = random
        self._faults = faults
        self._server = server
        self._calls = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """In the activity of the caller; raises what httpx raises when the network fails."""
        timeouts = request.extensions["timeout"]
        self._travel()
        process = self._server()
        if self.is_cut_off or process is None:
            self._scheduler.sleep(self._random.uniform(0.01, timeouts["connect"]))
            raise httpx.ConnectError("no way to the cloud")
        if self._strikes(self._faults.lost_request):
            self._scheduler.sleep(timeouts["read"])
            raise httpx.ReadTimeout("nobody answers")
        if self._strikes(self._faults.held):
            self._hold(request)
            self._scheduler.sleep(timeouts["read"])
            raise httpx.ReadTimeout("nobody answers")
        call = self._call(process, request)
        is_sent = self._send_body(call, request)
        if is_sent and self._strikes(self._faults.repeated):
            self._repeat(request)
        arrived = self._scheduler.wait(lambda: call.has_ended or self.is_cut_off, timeouts["read"])
        self._travel()
        has_answer = call.is_over and call.status != 0 and process.is_alive
        if not arrived or not has_answer or self._is_down():
            call.hang_up()
            raise httpx.ReadTimeout("nobody answers")
        if self._strikes(self._faults.lost_answer):
            raise httpx.ReadError("connection reset")
        return httpx.Response(call.status, headers=call.headers, stream=_Body(self._answer(call)))

    def _call(self, process: Process, request: httpx.Request) -> ServerCall:
        self._calls += 1
        label = f"{self._name}:{self._calls:06}"
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        return ServerCall(process, label, request.method, request.url.raw_path.decode(), headers)

    def _send_body(self, call: ServerCall, request: httpx.Request) -> bool:
        """Whether all of it was sent."""
        stream = request.stream
        assert isinstance(stream, httpx.SyncByteStream)
        is_cut = self._strikes(self._faults.cut)
        for piece in stream:
            for part in self._parts(piece):
                if is_cut and self._random.random() < 0.5:
                    call.body(part[: self._random.randint(0, len(part))], is_last=False)
                    self._travel()
                    call.hang_up()
                    raise httpx.WriteError("broken pipe")
                call.body(part, is_last=False)
                self._scheduler.pause()
        call.body(b"", is_last=True)
        return True

    def _answer(self, call: ServerCall) -> Iterator[bytes]:
        is_cut = self._strikes(self._faults.cut)
        for piece in call.pieces:
            for part in self._parts(piece):
                if is_cut and self._random.random() < 0.4:
                    yield part[: self._random.randint(0, len(part))]
                    raise httpx.ReadError("connection reset")
                yield part
                self._travel()
        length = next((int(value) for name, value in call.headers if name == b"content-length"), None)
        if length is not None and length != sum(map(len, call.pieces)):
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")

    def _hold(self, request: httpx.Request) -> None:
        """The request arrives later, whether or not anybody waits for the answer."""
        body = b"".join(request.stream)  # type: ignore[arg-type]
        delay_seconds = self._random.uniform(0, 30)
        self._later(request, body, delay_seconds)

    def _repeat(self, request: httpx.Request) -> None:
        if (
            request.method == "PUT"
            and "content-length" in request.headers
            and int(request.headers["content-length"]) > 0
        ):
            return  # its body is gone
        self._later(request, b"", self._random.uniform(0, 3))

    def _later(self, request: httpx.Request, body: bytes, delay_seconds: float) -> None:
        def deliver() -> None:
            self._scheduler.sleep(delay_seconds)
            process = self._server()
            if process is not None:
                call = self._call(process, request)
                call.body(body, is_last=True)
                self._scheduler.wait(lambda: call.has_ended, 60)
                call.hang_up()

        self._scheduler.start(f"{self._name} late", deliver)

    def _parts(self, piece: bytes) -> Iterator[bytes]:
        position = 0
        while position < len(piece):
            size = self._random.randint(1, 200)
            yield piece[position : position + size]
            position += size

    def _is_down(self) -> bool:
        return self.is_cut_off

    def _travel(self) -> None:
        self._scheduler.sleep(self._random.expovariate(1 / self._faults.latency_seconds))

    def _strikes(self, chance: float) -> bool:
        return chance > 0 and self._random.random() < chance


class _Body(httpx.SyncByteStream):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


class NobodyThere(Exception):
    """The process was not there, or died before it answered: what became of the request is unknown."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


def ask(
    process: Process | None, label: str, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    """A request over a perfect wire, from an activity. Raises NobodyThere."""
    if process is None or not process.is_alive:
        raise NobodyThere
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    call = ServerCall(process, label, method, target, raw)
    call.body(body, is_last=True)
    process.scheduler.wait(lambda: call.has_ended, None)
    if not call.is_over or call.status == 0 or not process.is_alive:
        raise NobodyThere
    if call.failure is not None:
        raise call.failure
    return Answer(call.status, b"".join(call.pieces))
