"""uvicorn's HTTP parser with limits on what a peer may hold: connections, heads, and the time it takes for its bytes.

uvicorn itself waits for ever for the rest of a header, a body or a reader, and keeps all of it in memory.
"""

from __future__ import annotations

import asyncio
import fcntl
import termios
from dataclasses import dataclass
from typing import cast

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from common.runtime.client_certificates import CLIENT_CERTIFICATE, ClientCertificate, certificate_shown_on
from common.runtime.connections import Connections, Refusal
from common.runtime.pace import Pace

#: The extension of a request's scope about its connection: `abort` ends it at once, without waiting for the client to read;
#: `is_closing` tells whether it is ending already, so that writing to it fails.
CONNECTION = "edgesync.connection"

#: What a pause of the service counts in bytes that the peer would have moved meanwhile.
_PAUSE_CREDIT_BYTES = 1 << 40

_LATER = b"content-length: 0\r\nconnection: close\r\nretry-after: 5\r\n\r\n"
_REFUSALS = {
    Refusal.SERVICE_IS_FULL: b"HTTP/1.1 503 Service Unavailable\r\n" + _LATER,
    Refusal.ADDRESS_HAS_TOO_MANY: b"HTTP/1.1 429 Too Many Requests\r\n" + _LATER,
}
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """What may come before a request is known.

    One received chunk more than `size_bytes` may be in memory before the connection is closed.
    """

    seconds: float
    size_bytes: int
    fields: int


def limited_protocol(head: HeadLimits, connections: Connections, pace: Pace) -> type[HttpToolsProtocol]:
    """A protocol class that refuses connections beyond the limits and ends those that break them."""

    class LimitedProtocol(_LimitedProtocol):
        _head = head
        _open_connections = connections
        _pace = pace

    return LimitedProtocol


class _LimitedProtocol(HttpToolsProtocol):
    _head: HeadLimits
    _open_connections: Connections
    _pace: Pace

    _head_bytes = 0
    _is_in_head = True
    _is_admitted = False
    _client_certificate: ClientCertificate | None = None
    _head_timer: asyncio.TimerHandle | None = None
    _last_complete: RequestResponseCycle | None = None
    _receiving: _Receiving | None = None
    _sending: _Sending | None = None
    #: All that came on this connection.
    received_bytes = 0
    is_lost = False

    @property
    def is_in_body(self) -> bool:
        """Is there more to come of a request?"""
        return not self._is_in_head

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peer = transport.get_extra_info("peername")
        self._host = peer[0] if isinstance(peer, tuple) else ""
        refusal = self._open_connections.admit(self, self._host)
        if refusal is not None:
            self.transport = transport
            transport.write(_REFUSALS[refusal])
            transport.close()
            return
        self._is_admitted = True
        super().connection_made(transport)
        self._client_certificate = certificate_shown_on(transport)
        self.flow = _CountingFlow(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self._stop_head_timer()
        if self._is_admitted:
            self._open_connections.left(self, self._host)
        for transfer in (self._receiving, self._sending):
            if transfer is not None:
                self._pace.forget(transfer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._is_admitted:
            return
        if self._is_in_head:
            self._head_bytes += len(data)
            self._start_head_timer()
        self.received_bytes += len(data)
        super().data_received(data)
        if not self._is_in_head:
            self._watch_body()
        elif self._head_bytes > self._head.size_bytes and not self.transport.is_closing():
            super().send_400_response("The request head is too large.")

    def send_400_response(self, msg: str) -> None:
        asked = self._last_complete
        if asked is not None and asked is self.cycle and not asked.response_complete:
            # Garbage after a complete request: the next answer on this connection belongs to that one.
            asked.keep_alive = False
            self.flow.pause_reading()
        else:
            super().send_400_response(msg)

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self.headers) >= self._head.fields:
            raise httptools.HttpParserError("too many header fields")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._stop_head_timer()
        self._open_connections.is_busy(self)
        self.scope["extensions"] = {
            CONNECTION: {"abort": self.transport.abort, "is_closing": self.transport.is_closing}
        }
        if self._client_certificate is not None:
            self.scope["extensions"][CLIENT_CERTIFICATE] = {"certificate": self._client_certificate}
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._last_complete = self.cycle
        self._is_in_head = True
        self._head_bytes = 0
        if self._receiving is not None:
            self._pace.forget(self._receiving)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline and not self.is_lost:
            self._open_connections.is_idle(self)
        if self.transport.get_write_buffer_size():
            self._watch_answer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_answer()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._sending is not None:
            self._pace.forget(self._sending)

    def close_idle(self) -> None:
        """Make room for another connection."""
        self.transport.close()

    def refuse_as_too_slow(self) -> None:
        """The body that is waited for does not come."""
        if not self.transport.is_closing():
            if not self.cycle.response_started:
                self.transport.write(_TOO_SLOW)
            self.transport.close()

    def _watch_body(self) -> None:
        if self._receiving is None:
            self._receiving = _Receiving(self)
        self._pace.watch(self._receiving)

    def _watch_answer(self) -> None:
        if self._sending is None:
            self._sending = _Sending(self)
        # From now on: what was watched before may have been the rest of another answer.
        self._pace.forget(self._sending)
        self._pace.watch(self._sending)

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._head.seconds, self._head_is_late)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._is_in_head and not self.transport.is_closing():
            self.transport.close()


class _CountingFlow(FlowControl):
    """Remembers how often the service stopped to read."""

    pauses = 0

    def pause_reading(self) -> None:
        self.pauses += 1
        super().pause_reading()


class _Receiving:
    """A request body on its way in."""

    def __init__(self, protocol: _LimitedProtocol) -> None:
        self._protocol = protocol

    def bytes_moved(self) -> int | None:
        flow, cycle = self._protocol.flow, self._protocol.cycle
        if flow.read_paused or (cycle.waiting_for_100_continue and not cycle.response_complete):
            return None
        return self._protocol.received_bytes + cast(_CountingFlow, flow).pauses * _PAUSE_CREDIT_BYTES

    def is_over(self) -> bool:
        return self._protocol.is_lost or not self._protocol.is_in_body

    def cut(self) -> None:
        self._protocol.refuse_as_too_slow()


class _Sending:
    """An answer the peer has not taken yet."""

    def __init__(self, protocol: _LimitedProtocol) -> None:
        self._transport = protocol.transport
        self._protocol = protocol

    def bytes_moved(self) -> int | None:
        return -self._transport.get_write_buffer_size() - self._bytes_in_kernel()

    def is_over(self) -> bool:
        return self._protocol.is_lost or not self._transport.get_write_buffer_size()

    def cut(self) -> None:
        self._transport.abort()

    def _bytes_in_kernel(self) -> int:
        """Sent, but not acknowledged: without them a slow link would seem to take nothing while the kernel's buffer drains."""
        sock = self._transport.get_extra_info("socket")
        try:
            counted = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
        except (OSError, AttributeError, ValueError):
            return 0
        return int.from_bytes(counted, "little")
