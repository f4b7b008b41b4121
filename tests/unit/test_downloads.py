"""Answers that stream data, and clients that leave before the end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from typing import Self

import pytest
from starlette.types import Message

from common.rest.data import Download

PIECES = 5


class Piece(bytes):
    """Knows how many of its kind are in memory."""

    alive = 0

    def __new__(cls, content: bytes) -> Self:
        cls.alive += 1
        return super().__new__(cls, content)

    def __del__(self) -> None:
        type(self).alive -= 1


@pytest.fixture
def no_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collector")
def test_a_client_that_leaves_lets_go_of_the_piece_under_way_at_once() -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(PIECES):
            yield Piece(bytes(1000))

    async def main() -> None:
        nonlocal sent
        leaves, is_gone = asyncio.Event(), asyncio.Event()

        async def receive() -> Message:
            await leaves.wait()
            asyncio.get_running_loop().call_later(0.01, is_gone.set)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal sent
            if message.get("body"):
                sent += 1
            if sent == 2:
                leaves.set()
                await is_gone.wait()

        download = Download(pieces(), 200, {}, "application/octet-stream")
        download.counted = nullcontext()
        await download({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)

    asyncio.run(main())

    assert sent == 2
    assert Piece.alive == 0
