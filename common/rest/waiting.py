"""Requests that are held open until something happens. While they are, they take no thread and no connection to the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request


@contextmanager
def departure_of(request: Request) -> Iterator[asyncio.Task[None]]:
    """A task that is done when the client has hung up."""
    gone = asyncio.create_task(_until_gone(request))
    try:
        yield gone
    finally:
        gone.cancel()


async def wait_for_either(woken: asyncio.Event, gone: asyncio.Task[None], seconds: float) -> None:
    """Until `woken` is set, the client is gone, or the time has passed."""
    waking = asyncio.ensure_future(woken.wait())
    await asyncio.wait({waking, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waking.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
