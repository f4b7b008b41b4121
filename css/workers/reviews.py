"""Works out what changed about nodes, groups and policies of large fleets."""

from __future__ import annotations

from common.sync.ports import Database
from common.sync.reviews import Reviews

#: Without a wake-up, unfinished reviews of a crashed replica are found this often.
_RECHECK_SECONDS = 15.0


class ReviewWorker:
    """Turns of one worker."""

    def __init__(self, database: Database, reviews: Reviews) -> None:
        self._database = database
        self._reviews = reviews

    def turn(self) -> float:
        return 0.0 if self._database.write(self._reviews.resume) else _RECHECK_SECONDS
