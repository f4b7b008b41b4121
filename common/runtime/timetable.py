"""What happens to objects at a time: they become active, they expire."""

from __future__ import annotations

import logging

from common.runtime.logs import fields
from common.sync.lifecycle import Lifecycle
from common.sync.ports import Clock, Database, UnitOfWork

log = logging.getLogger(__name__)

#: The longest sleep: another replica may have published what comes next, and a clock may have been set.
_RECHECK_SECONDS = 30.0

#: A wall clock that moved this much more or less than time did was set, and not by a little correction.
_JUMP_SECONDS = 60.0

#: After a jump nothing expires for so long: whoever set the clock wrong has time to set it right.
_HOLD_SECONDS = 600.0

_PAGE = 200


class Timetable:
    """A worker's turns. A replica of several may do the same at the same time: each object is looked at under its lock."""

    def __init__(self, database: Database, lifecycle: Lifecycle, clock: Clock, *, expires: bool) -> None:
        self._database = database
        self._lifecycle = lifecycle
        self._clock = clock
        self._expires = expires
        self._offset = self._wall_minus_monotonic()
        self._hold_until = clock.monotonic()

    def turn(self) -> float:
        """Do what is due; seconds until the next thing is."""
        while self._database.read(self._has_activations):
            self._database.write(lambda uow: self._lifecycle.activate_due(uow, _PAGE))
        if self._may_expire():
            self._expire()
        return min(max(self._database.read(self._seconds_to_next), 0.0), _RECHECK_SECONDS)

    def _expire(self) -> None:
        removed = 0
        while self._database.read(lambda uow: bool(uow.objects.list_expired(self._clock.now_ms(), 1))):
            removed += self._database.write(lambda uow: self._lifecycle.expire_due(uow, _PAGE))
        if removed:
            log.info("objects_expired", extra=fields(count=removed))

    def _may_expire(self) -> bool:
        """Not on an edge; and not while the clock may be wrong: what is removed does not come back (R11)."""
        if not self._expires:
            return False
        offset = self._wall_minus_monotonic()
        if abs(offset - self._offset) > _JUMP_SECONDS:
            self._hold_until = self._clock.monotonic() + _HOLD_SECONDS
            log.warning(
                "clock_jumped", extra=fields(seconds=round(offset - self._offset), nothing_expires_for=_HOLD_SECONDS)
            )
        self._offset = offset
        return self._clock.monotonic() >= self._hold_until

    def _has_activations(self, uow: UnitOfWork) -> bool:
        return bool(uow.objects.list_to_activate(self._clock.now_ms(), 1))

    def _seconds_to_next(self, uow: UnitOfWork) -> float:
        times = [uow.objects.next_activation_at()]
        if self._expires and self._clock.monotonic() >= self._hold_until:
            times.append(uow.objects.next_expiration_at())
        return min(((at - self._clock.now_ms()) / 1000 for at in times if at is not None), default=_RECHECK_SECONDS)

    def _wall_minus_monotonic(self) -> float:
        return self._clock.now_ms() / 1000 - self._clock.monotonic()
