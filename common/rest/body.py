"""Request bodies, read under limits that hold before memory is spent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from common.domain.errors import InvalidRequest, TooLarge

#: Bodies up to this size are not counted: their number is bounded by the connections.
_UNCOUNTED_BYTES = 64 * 1024


class BodyBudget:
    """How many bytes of request bodies may be in memory at once; whoever comes when it is spent waits."""

    def __init__(self, total_bytes: int) -> None:
        self._left = self._total = total_bytes
        self._freed = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, size_bytes: int) -> AsyncIterator[None]:
        if size_bytes <= _UNCOUNTED_BYTES:
            yield
            return
        share = min(size_bytes, self._total)
        async with self._freed:
            await self._freed.wait_for(lambda: self._left >= share)
            self._left -= share
        try:
            yield
        finally:
            async with self._freed:
                self._left += share
                self._freed.notify_all()


def declared_length(request: Request) -> int | None:
    """Content-Length, None without one. Raises InvalidRequest when it is no number."""
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise InvalidRequest("Content-Length is not a number.")
    return int(text)


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body. Raises TooLarge as soon as it is known to exceed the limit."""
    length = declared_length(request)
    if length is not None and length > limit_bytes:
        raise TooLarge(f"The body exceeds the limit of {limit_bytes} bytes.")
    pieces: list[bytes] = []
    total = 0
    async for piece in request.stream():
        total += len(piece)
        if total > limit_bytes:
            raise TooLarge(f"The body exceeds the limit of {limit_bytes} bytes.")
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
