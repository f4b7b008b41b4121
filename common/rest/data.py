"""Answers that carry an object's data, whole or in part."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing
from typing import cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from common.domain.chunks import Range
from common.domain.errors import RangeNotSatisfiable
from common.domain.principals import Principal
from common.rest.ranges import format_content_range
from common.rest.readable_data import ReadableData
from common.rest.transfers import Transfers
from common.rest.waiting import departure_of
from common.runtime.intake import send_range
from common.sync.payloads import PayloadStore

OCTETS = "application/octet-stream"


class Downloads:
    """Answers with data from one store, each a download of its caller until it ends (rest-api 3.10: 429 beyond limits)."""

    def __init__(self, store: PayloadStore, transfers: Transfers) -> None:
        self._store = store
        self._transfers = transfers

    def whole(self, data: ReadableData, caller: Principal, headers: dict[str, str] | None = None) -> Response:
        """200 with every byte. Raises TooManyRequests."""
        if data.small is not None:
            return Response(data.small, 200, headers, OCTETS)
        return self._stream(data, Range(0, data.size), caller, 200, headers or {})

    def part(
        self, data: ReadableData, wanted: Range, caller: Principal, headers: dict[str, str] | None = None
    ) -> Response:
        """206 with the part of `wanted` that exists. Raises RangeNotSatisfiable, TooManyRequests."""
        span = clip(wanted, data.size)
        fields = {"content-range": format_content_range(span, data.size), **(headers or {})}
        if data.small is not None:
            self._transfers.check_download(caller, is_ranged=True)
            return Response(data.small[span.start : span.end], 206, fields, OCTETS)
        return self._stream(data, span, caller, 206, fields)

    def _stream(
        self, data: ReadableData, span: Range, caller: Principal, status: int, headers: dict[str, str]
    ) -> Response:
        is_ranged = status == 206
        self._transfers.check_download(caller, is_ranged=is_ranged)
        headers["content-length"] = str(span.size_bytes)
        download = Download(send_range(self._store, data.name, span.start, span.end), status, headers, OCTETS)
        download.counted = self._transfers.download(caller, is_ranged=is_ranged)
        return download


def clip(wanted: Range, size: int) -> Range:
    """The part of `wanted` that exists. Raises RangeNotSatisfiable when none does."""
    if wanted.start >= size:
        raise RangeNotSatisfiable
    return Range(wanted.start, min(wanted.end, size))


class Download(StreamingResponse):
    """Counted from its first byte on until it ends, however it does. Of one that is never sent, as after HEAD, nothing is.

    The base class cancels its task when the client leaves. The frames of a cancellation refer to each other and keep the
    piece under way in memory until the garbage collector comes by; this one looks before each piece instead.
    """

    counted: AbstractContextManager[None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.counted, departure_of(Request(scope, receive)) as gone:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._send_pieces(send, gone)

    async def _send_pieces(self, send: Send, gone: asyncio.Task[None]) -> None:
        async with aclosing(cast(AsyncGenerator[bytes, None], self.body_iterator)) as pieces:
            async for piece in pieces:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
