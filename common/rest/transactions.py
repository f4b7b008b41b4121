"""Use cases from the event loop: a transaction runs in a thread, the loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from common.domain.errors import SyncError
from common.runtime.batching import Batcher
from common.sync.ports import Database, UnitOfWork

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - item
O = TypeVar("O")  # noqa: E741 - outcome


class Transactions:
    """The transactions of a database, for the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, work: Callable[[UnitOfWork], T]) -> T:
        """As `Database.write`."""
        return await asyncio.wrap_future(self._database.submit(work))

    def write_and_wait(self, work: Callable[[UnitOfWork], T]) -> T:
        """As `Database.write`: for threads."""
        return self._database.write(work)

    async def read(self, work: Callable[[UnitOfWork], T]) -> T:
        """As `Database.read`."""
        return await asyncio.to_thread(self._database.read, work)

    def batcher(
        self, work: Callable[[UnitOfWork, Sequence[I]], Sequence[O | SyncError]], *, most_lanes: int = 1
    ) -> Batcher[I, O]:
        """A `Batcher` with as many lanes, up to that number, as transactions commit side by side."""
        return Batcher(self._database, work, lanes=min(most_lanes, self._database.parallel_commits))
