"""Use cases from the event loop: a transaction runs in a thread, the loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from common.sync.ports import Database, UnitOfWork

T = TypeVar("T")


class Transactions:
    """The coroutines of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, work: Callable[[UnitOfWork], T]) -> T:
        """As `Database.write`."""
        return await asyncio.wrap_future(self._database.submit(work))

    async def read(self, work: Callable[[UnitOfWork], T]) -> T:
        """As `Database.read`."""
        return await asyncio.to_thread(self._database.read, work)
