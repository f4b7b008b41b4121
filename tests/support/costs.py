"""Does a question to a database cost more, the more there is?"""

from __future__ import annotations

import time
from collections.abc import Callable

from common.sync.ports import Database, UnitOfWork

FEW, MANY = 20, 6_000
#: A scan would make it MANY / FEW.
TOLERATED_FACTOR = 8
RUNS = 40


def best_seconds(database: Database, question: Callable[[UnitOfWork], object]) -> float:
    """The shortest of many runs inside one transaction, which leaves the cost of commits out."""

    def ask_often(uow: UnitOfWork) -> float:
        times = []
        for _ in range(RUNS):
            started = time.perf_counter()
            question(uow)
            times.append(time.perf_counter() - started)
        return min(times)

    return database.write(ask_often)


def grows(
    database: Database, question: Callable[[UnitOfWork], object], fill: Callable[[UnitOfWork, int], None]
) -> bool:
    """Does the question take longer the more there is?"""
    database.write(lambda uow: fill(uow, FEW))
    with_few = best_seconds(database, question)
    database.write(lambda uow: fill(uow, MANY))
    return best_seconds(database, question) > TOLERATED_FACTOR * with_few
