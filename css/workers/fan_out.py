"""Continues fan-outs that were too big for their publishing transaction."""

from __future__ import annotations

from common.sync.ports import Database
from common.sync.publisher import Publisher

#: Deliveries opened per transaction: long enough to be efficient, short enough not to hold up a publish.
PAGE = 1_000

#: Without a wake-up, unfinished fan-outs of a crashed replica are found this often.
_RECHECK_SECONDS = 15.0


class FanOutWorker:
    """Turns of one worker."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher

    def turn(self) -> float:
        has_more = self._database.write(lambda uow: self._publisher.continue_fan_out(uow, PAGE))
        return 0.0 if has_more else _RECHECK_SECONDS
