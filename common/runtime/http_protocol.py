"""uvicorn's HTTP parser with limits on what may come before a request is known: bytes and seconds.

uvicorn itself waits for ever for the rest of a header and keeps all of it in memory.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

#: Request line and headers together; one received chunk more may be in memory before the connection is closed.
MAX_HEAD_BYTES = 64 * 1024

#: The extension of a request's scope whose `call` ends the connection at once, without waiting for the client to read.
ABORT = "edgesync.abort"


def limited_protocol(head_seconds: float) -> type[HttpToolsProtocol]:  # noqa: C901 - a class, counted as one function
    """A protocol class that closes connections whose request head takes longer than `head_seconds` or MAX_HEAD_BYTES."""

    class LimitedProtocol(HttpToolsProtocol):
        _head_bytes = 0
        _is_in_head = True
        _head_timer: asyncio.TimerHandle | None = None
        _last_complete: RequestResponseCycle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._start_head_timer()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_head_timer()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._is_in_head:
                self._head_bytes += len(data)
                self._start_head_timer()
            super().data_received(data)
            if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                super().send_400_response("The request head is too large.")

        def send_400_response(self, msg: str) -> None:
            asked = self._last_complete
            if asked is not None and asked is self.cycle and not asked.response_complete:
                # Garbage after a complete request: the next answer on this connection belongs to that one.
                asked.keep_alive = False
                self.flow.pause_reading()
            else:
                super().send_400_response(msg)

        def on_headers_complete(self) -> None:
            self._is_in_head = False
            self._stop_head_timer()
            self.scope["extensions"] = {ABORT: {"call": self.transport.abort}}
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self._last_complete = self.cycle
            self._is_in_head = True
            self._head_bytes = 0

        def _start_head_timer(self) -> None:
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(head_seconds, self._head_is_late)

        def _stop_head_timer(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _head_is_late(self) -> None:
            self._head_timer = None
            if self._is_in_head and not self.transport.is_closing():
                self.transport.close()

    return LimitedProtocol
