"""Request bodies, read under limits that hold before memory is spent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request

from common.domain.errors import InvalidRequest, TooLarge

#: What one caller may have of it: whoever sends slowly keeps nobody else waiting.
_SHARE_OF_CALLER = 4


@dataclass(eq=False, slots=True)
class _Waiting:
    caller: Hashable
    size_bytes: int
    turn: asyncio.Future[None]


class BodyBudget:
    """How many bytes of request bodies may be in memory at once; whoever comes when it is spent waits.

    First come, first served, except that one caller never has more than a quarter.
    """

    def __init__(self, total_bytes: int) -> None:
        self._left = total_bytes
        self._most_of_caller = total_bytes // _SHARE_OF_CALLER
        self._of_caller: Counter[Hashable] = Counter()
        self._waiting: list[_Waiting] = []

    @asynccontextmanager
    async def hold(self, size_bytes: int, caller: Hashable) -> AsyncIterator[None]:
        """Memory for a body of that size, until the context ends. More than a quarter counts as a quarter."""
        size_bytes = min(size_bytes, self._most_of_caller)
        if self._waiting or not self._fits(size_bytes, caller):
            await self._wait(_Waiting(caller, size_bytes, asyncio.get_running_loop().create_future()))
        else:
            self._take(size_bytes, caller)
        try:
            yield
        finally:
            self._give_back(size_bytes, caller)

    def _fits(self, size_bytes: int, caller: Hashable) -> bool:
        return size_bytes <= self._left and self._of_caller[caller] + size_bytes <= self._most_of_caller

    def _take(self, size_bytes: int, caller: Hashable) -> None:
        self._left -= size_bytes
        self._of_caller[caller] += size_bytes

    def _give_back(self, size_bytes: int, caller: Hashable) -> None:
        self._left += size_bytes
        self._of_caller[caller] -= size_bytes
        if not self._of_caller[caller]:
            del self._of_caller[caller]
        self._serve()

    async def _wait(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._serve()
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                self._give_back(waiting.size_bytes, waiting.caller)
            raise

    def _serve(self) -> None:
        """Whoever fits now, in the order they came; who waits for others of the same caller lets the next one pass."""
        for waiting in tuple(self._waiting):
            if self._fits(waiting.size_bytes, waiting.caller):
                self._take(waiting.size_bytes, waiting.caller)
                self._waiting.remove(waiting)
                waiting.turn.set_result(None)
            elif waiting.size_bytes > self._left:
                return


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
