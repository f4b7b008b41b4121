"""Answers that carry an object's data, whole or in part."""

from __future__ import annotations

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from common.domain.chunks import Range
from common.domain.errors import RangeNotSatisfiable, TooManyRequests
from common.rest.exchange import ReadableData
from common.rest.ranges import format_content_range
from common.runtime.intake import send_range
from common.sync.payloads import PayloadStore

OCTETS = "application/octet-stream"


class DownloadSlots:
    """How many ranged downloads may run at once (rest-api 3.10: 429 beyond)."""

    def __init__(self, count: int) -> None:
        self._free = count

    def take(self) -> None:
        """Raises TooManyRequests."""
        if self._free <= 0:
            raise TooManyRequests("Too many downloads at once; try again later.")
        self._free -= 1

    def give_back(self) -> None:
        self._free += 1


def clip(wanted: Range, size: int) -> Range:
    """The part of `wanted` that exists. Raises RangeNotSatisfiable when none does."""
    if wanted.start >= size:
        raise RangeNotSatisfiable
    return Range(wanted.start, min(wanted.end, size))


def whole(data: ReadableData, store: PayloadStore, headers: dict[str, str] | None = None) -> Response:
    """200 with every byte."""
    return _respond(data, Range(0, data.size), store, 200, headers or {}, None)


def part(
    data: ReadableData, wanted: Range, store: PayloadStore, slots: DownloadSlots, headers: dict[str, str] | None = None
) -> Response:
    """206 with the part of `wanted` that exists. Raises RangeNotSatisfiable, TooManyRequests."""
    clipped = clip(wanted, data.size)
    slots.take()
    fields = {"content-range": format_content_range(clipped, data.size), **(headers or {})}
    return _respond(data, clipped, store, 206, fields, slots)


def _respond(
    data: ReadableData,
    span: Range,
    store: PayloadStore,
    status: int,
    headers: dict[str, str],
    slots: DownloadSlots | None,
) -> Response:
    if data.small is not None:
        if slots is not None:
            slots.give_back()
        return Response(data.small[span.start : span.end], status, headers, OCTETS)
    headers["content-length"] = str(span.size_bytes)
    body = send_range(store, data.name, span.start, span.end)
    return _Download(body, status, headers, OCTETS).holding(slots)


class _Download(StreamingResponse):
    """Gives its slot back however it ends, also when the client is gone before the first byte."""

    _slots: DownloadSlots | None = None

    def holding(self, slots: DownloadSlots | None) -> _Download:
        self._slots = slots
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._slots is not None:
                self._slots.give_back()
