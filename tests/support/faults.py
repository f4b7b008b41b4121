"""A TCP proxy in front of a service: the link that a test cuts, slows down and counts."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Protocol

from tests.support.service_process import HOST

_READ_BYTES = 64 << 10
#: Small, so that what the proxy holds back is little beside what the services have in flight.
_BUFFER_BYTES = 256 << 10
#: SO_LINGER with a time of 0: closing sends a reset, as a router that lost its table would.
_RESET = struct.pack("ii", 1, 0)


class Direction(Enum):
    """Seen from whoever connects."""

    UP = "up"
    DOWN = "down"


class Observer(Protocol):
    """Is shown one connection's bytes, each direction in order and by one thread at a time."""

    def feed(self, direction: Direction, data: bytes) -> None: ...


class FaultProxy:
    """Carries connections to `target_port` on loopback. What tests set applies at once, also to open connections."""

    def __init__(self, target_port: int, observe: Callable[[], Observer] | None = None) -> None:
        self._target_port = target_port
        self._observe = observe
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._silenced: set[socket.socket] = set()
        self._cut_after_bytes: dict[Direction, int] = {}
        self._listener = socket.create_server((HOST, 0))
        self._listener.settimeout(0.1)
        self._is_closed = False
        self.port: int = self._listener.getsockname()[1]
        #: Bytes carried so far.
        self.carried_bytes = dict.fromkeys(Direction, 0)
        #: For each direction of each connection; None is no limit.
        self.bytes_per_second: float | None = None
        self.delay_seconds = 0.0
        #: While False, whoever connects is turned away.
        self.is_open = True
        self._acceptor = threading.Thread(target=self._accept, name="fault-proxy", daemon=True)
        self._acceptor.start()

    def cut(self) -> None:
        """Reset every connection."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            _reset(*pair)

    def cut_after(self, direction: Direction, size_bytes: int) -> None:
        """Reset every connection once `size_bytes` more have gone in `direction`."""
        self._cut_after_bytes[direction] = self.carried_bytes[direction] + size_bytes

    @property
    def is_cut(self) -> bool:
        """Has the cut that `cut_after` asked for happened?"""
        return not self._cut_after_bytes

    def half_close(self) -> None:
        """End the answering direction of every connection in good order; the asking one stays open."""
        with self._lock:
            for client, _ in self._pairs:
                with contextlib.suppress(OSError):
                    client.shutdown(socket.SHUT_WR)

    def silence(self) -> None:
        """Swallow everything on the connections there are, and leave them open: what a forgetful router does."""
        with self._lock:
            for pair in self._pairs:
                self._silenced.update(pair)

    def close(self) -> None:
        self._is_closed = True
        self._acceptor.join()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket()
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        if not self.is_open or server.connect_ex((HOST, self._target_port)) != 0:
            _reset(client, server)
            return
        with self._lock:
            self._pairs.add((client, server))
        observer = self._observe() if self._observe else None
        upward = threading.Thread(target=self._pump, args=(client, server, Direction.UP, observer), daemon=True)
        upward.start()
        self._pump(server, client, Direction.DOWN, observer)
        upward.join()
        with self._lock:
            self._pairs.discard((client, server))
            self._silenced -= {client, server}
        client.close()
        server.close()

    def _pump(
        self, source: socket.socket, sink: socket.socket, direction: Direction, observer: Observer | None
    ) -> None:
        try:
            while data := source.recv(_READ_BYTES):
                if source in self._silenced:
                    continue
                self._count(direction, len(data))
                if observer is not None:
                    observer.feed(direction, data)
                self._slow_down(len(data))
                sink.sendall(data)
            # Towards a server that stops answering nothing more can be asked; a client may still be listening.
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _count(self, direction: Direction, size_bytes: int) -> None:
        with self._lock:
            self.carried_bytes[direction] += size_bytes
            limit_bytes = self._cut_after_bytes.get(direction)
            is_cut = limit_bytes is not None and self.carried_bytes[direction] >= limit_bytes
            if is_cut:
                del self._cut_after_bytes[direction]
        if is_cut:
            self.cut()
            raise ConnectionResetError

    def _slow_down(self, size_bytes: int) -> None:
        rate = self.bytes_per_second
        seconds = self.delay_seconds + (size_bytes / rate if rate else 0)
        if seconds:
            time.sleep(seconds)


@contextmanager
def fault_proxy(target_port: int, observe: Callable[[], Observer] | None = None) -> Iterator[FaultProxy]:
    """A proxy that ends with the context."""
    proxy = FaultProxy(target_port, observe)
    try:
        yield proxy
    finally:
        proxy.close()


def _reset(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.shutdown(socket.SHUT_RDWR)
        end.close()
