"""Listening, serving and stopping."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from common.runtime.addresses import Addresses
from common.runtime.client_certificates import CertificateDoor
from common.runtime.config.load import Load
from common.runtime.connections import ConnectionLimits, Connections
from common.runtime.http_protocol import HeadLimits, limited_protocol
from common.runtime.logs import fields
from common.runtime.pace import Pace, PaceLimits
from common.runtime.settings import StartError

log = logging.getLogger(__name__)

#: Longer than the pause between two long polls, so that a node's connection outlives it.
KEEP_ALIVE_SECONDS = 120

#: Published on SIGHUP: files that may have been replaced are read again.
RELOAD = "reload"

_BACKLOG = 2048

#: Files a process opens besides connections: the database, payloads, the log.
_OTHER_FILES = 256
_FEWEST_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket, and the TLS context connections to it get."""

    socket: socket.socket
    tls: ssl.SSLContext | None
    #: For the log, such as `https://0.0.0.0:8443`.
    url: str
    #: Only these addresses are open to clients that show no certificate; None: all of them are.
    open_without_certificate: frozenset[str] | None = None


def listen_tcp(host: str, port: int, tls: ssl.SSLContext | None) -> Listener:
    """Bind a TCP listener; port 0 takes a free one. Raises StartError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named; without that, answers take 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise StartError(f"Cannot listen on {host or '*'} port {port}: {error.strerror}.") from error
    sock.listen(_BACKLOG)
    shown = f"[{host}]" if ":" in host else host or "*"
    return Listener(sock, tls, f"{'https' if tls else 'http'}://{shown}:{sock.getsockname()[1]}")


def listen_unix(path: Path, mode: int, tls: ssl.SSLContext | None) -> Listener:
    """Bind a Unix socket, replacing an old one; nobody can connect before `mode` is set. Raises StartError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(0o750, parents=True, exist_ok=True)
        if path.is_socket():
            path.unlink()
        umask = os.umask(0o777)
        try:
            sock.bind(os.fspath(path))
        finally:
            os.umask(umask)
        path.chmod(mode)
    except OSError as error:
        sock.close()
        raise StartError(f"Cannot listen on {path}: {error.strerror}.") from error
    sock.listen(_BACKLOG)
    return Listener(sock, tls, f"{'secure-unix' if tls else 'unix'}:{path}")


@dataclass(frozen=True, slots=True)
class ServingLimits:
    """How long the requests in progress get at the end, a client to send a request's head, and what all may take."""

    drain_seconds: float
    head_seconds: float
    load: Load = field(default_factory=Load)


class _Server(uvicorn.Server):
    """uvicorn's server without its ten ticks a second: an idle service should cost nothing measurable."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leave = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # one place handles signals for all listeners

    def leave(self) -> None:
        self.should_exit = True
        self._leave.set()

    async def main_loop(self) -> None:
        while not self.should_exit:
            await self.on_tick(0)  # refreshes the Date header
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leave.wait(), 1.0)


async def serve_until_stopped(
    app: ASGIApp,
    listeners: Sequence[Listener],
    limits: ServingLimits,
    *,
    on_started: Callable[[], None],
    on_stopping: Callable[[], None],
    on_reload: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP calls `on_reload`.

    `on_started` runs when connections are accepted. Then, once asked to stop: `on_stopping`, no new connections, and up
    to `limits.drain_seconds` for the requests that are being answered.
    """
    stop = asyncio.Event()
    _stop_on_signals(stop)
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGHUP, lambda number, frame: loop.call_soon_threadsafe(on_reload))
    protocol = _protocol(limits)
    servers = [_Server(_config(app, listener, limits, protocol)) for listener in listeners]
    running = [asyncio.create_task(s.serve([each.socket])) for s, each in zip(servers, listeners, strict=True)]
    while not all(server.started for server in servers):
        if any(task.done() for task in running):
            await asyncio.gather(*running)
        await asyncio.sleep(0.002)
    on_started()
    log.info("serving", extra=fields(listeners=[listener.url for listener in listeners], pid=os.getpid()))
    await stop.wait()
    log.info("stopping")
    on_stopping()
    for server in servers:
        server.leave()
    await asyncio.gather(*running)


def _protocol(limits: ServingLimits) -> type[asyncio.Protocol]:
    """One for all listeners: they share what the limits allow."""
    load = limits.load
    total = min(load.connections, max(_FEWEST_CONNECTIONS, raise_open_files_limit() - _OTHER_FILES))
    connections = Connections(
        ConnectionLimits(total, load.connections_per_address), Addresses(load.unlimited_addresses)
    )
    pace = Pace(PaceLimits(load.transfer_bytes_per_second, load.transfer_window_seconds))
    return limited_protocol(HeadLimits(limits.head_seconds, load.head_bytes, load.header_fields), connections, pace)


def raise_open_files_limit() -> int:
    """Let the process open as many files as it may, connections among them; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def _config(
    app: ASGIApp, listener: Listener, limits: ServingLimits, protocol: type[asyncio.Protocol]
) -> uvicorn.Config:
    if listener.open_without_certificate is not None:
        app = CertificateDoor(app, listener.open_without_certificate)
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(limits.drain_seconds)),
    )
    config.load()
    # Its warnings are about what strangers send; anybody could fill the log with them.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config.ssl = listener.tls
    return config


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
