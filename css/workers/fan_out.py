"""Continues fan-outs that were too big for their publishing transaction."""

from __future__ import annotations

from common.sync.fan_out import FanOuts
from common.sync.ports import Database

#: Deliveries opened per transaction: long enough to be efficient, short enough not to hold up a publish.
PAGE = 1_000

#: Without a wake-up, unfinished fan-outs of a crashed replica are found this often.
_RECHECK_SECONDS = 15.0


class FanOutWorker:
    """Turns of one worker."""

    def __init__(self, database: Database, fan_outs: FanOuts) -> None:
        self._database = database
        self._fan_outs = fan_outs

    def turn(self) -> float:
        has_more = self._database.write(lambda uow: self._fan_outs.resume(uow, PAGE))
        return 0.0 if has_more else _RECHECK_SECONDS
