"""Many small requests, one transaction: what arrives while a batch is being committed goes into the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from common.domain.errors import SyncError, Unavailable
from common.sync.ports import Database, UnitOfWork

I = TypeVar("I")  # noqa: E741 - item
O = TypeVar("O")  # noqa: E741 - outcome

#: Requests that wait for a batch; beyond, callers are told to come back (R8).
MAX_WAITING = 10_000


class Batcher(Generic[I, O]):
    """Collects items of one kind on the event loop and hands them to the database batch by batch.

    `work` gets the items in order and returns one outcome each; a SyncError in its place is raised to that item's caller.
    Up to `lanes` batches are under way at a time, so that requests are read while others are being committed.
    When a batch as a whole fails, its items are tried one by one, so that a bad one spoils nobody else's.
    """

    def __init__(
        self,
        database: Database,
        work: Callable[[UnitOfWork, Sequence[I]], Sequence[O | SyncError]],
        max_items: int = 128,
        lanes: int = 1,
    ) -> None:
        self._database = database
        self._work = work
        self._max_items = max_items
        self._waiting: deque[tuple[I, asyncio.Future[O]]] = deque()
        self._lanes = lanes
        self._running = 0

    async def submit(self, item: I) -> O:
        """The item's outcome, after its commit. Raises what `work` put in its place, and Unavailable."""
        if len(self._waiting) >= MAX_WAITING:
            raise Unavailable("Too many requests are waiting; try again later.")
        future: asyncio.Future[O] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running < self._lanes:
            self._start()
        return await future

    def _start(self) -> None:
        size = min(len(self._waiting), self._max_items)
        batch = [self._waiting.popleft() for _ in range(size)]
        self._run(batch)

    def _run(self, batch: list[tuple[I, asyncio.Future[O]]]) -> None:
        self._running += 1
        loop = asyncio.get_running_loop()
        items = [item for item, _ in batch]
        running = self._database.submit(lambda uow: self._work(uow, items))
        running.add_done_callback(lambda done: loop.call_soon_threadsafe(self._finish, batch, done))

    def _finish(self, batch: list[tuple[I, asyncio.Future[O]]], done: Future[Sequence[O | SyncError]]) -> None:
        error = done.exception()
        if error is None:
            for (_, future), outcome in zip(batch, done.result(), strict=True):
                _settle(future, outcome)
        elif len(batch) == 1 or isinstance(error, Unavailable):
            for _, future in batch:
                _settle(future, error)
        else:
            for pair in batch:
                self._run([pair])
        self._running -= 1
        if self._waiting:
            self._start()


def _settle(future: asyncio.Future[O], outcome: O | BaseException) -> None:
    if future.done():  # its caller is gone
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
