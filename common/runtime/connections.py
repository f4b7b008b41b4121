"""The open connections of a process: how many there may be, and which goes when there are more."""

from __future__ import annotations

import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from common.runtime.addresses import Addresses
from common.runtime.logs import fields

log = logging.getLogger(__name__)

_REPORT_SECONDS = 60.0


class Refusal(Enum):
    """Why a connection is not taken."""

    SERVICE_IS_FULL = "service"
    ADDRESS_HAS_TOO_MANY = "address"


class Connection(Protocol):
    """One that no request is under way on can be closed without loss."""

    def close_idle(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """0 per address sets no limit."""

    total: int
    per_address: int


class Connections:
    """Counts them. For the event loop only.

    A stranger who keeps many connections open and asks for nothing shuts nobody out: when all are taken, the one that has
    been idle longest gives way to the next.
    """

    def __init__(
        self, limits: ConnectionLimits, addresses: Addresses, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._addresses = addresses
        self._clock = clock
        self._count = 0
        self._by_address: Counter[str] = Counter()
        self._idle: OrderedDict[Connection, None] = OrderedDict()
        self._refused = 0
        self._reported_at = -_REPORT_SECONDS

    @property
    def count(self) -> int:
        return self._count

    def admit(self, connection: Connection, host: str) -> Refusal | None:
        """Count a new connection, which is idle for now; None, or why it is refused and not counted."""
        address = self._addresses.counted_as(host)
        most = self._limits.per_address
        if address is not None and most and self._by_address[address] >= most:
            return self._refuse(Refusal.ADDRESS_HAS_TOO_MANY)
        if self._count >= self._limits.total:
            if not self._idle:
                return self._refuse(Refusal.SERVICE_IS_FULL)
            self._idle.popitem(last=False)[0].close_idle()
        self._count += 1
        if address is not None:
            self._by_address[address] += 1
        self._idle[connection] = None
        return None

    def is_busy(self, connection: Connection) -> None:
        """A request has begun on it."""
        self._idle.pop(connection, None)

    def is_idle(self, connection: Connection) -> None:
        """Its last request is answered."""
        self._idle[connection] = None

    def left(self, connection: Connection, host: str) -> None:
        """An admitted connection has ended."""
        self._idle.pop(connection, None)
        self._count -= 1
        address = self._addresses.counted_as(host)
        if address is not None:
            self._by_address[address] -= 1
            if self._by_address[address] <= 0:
                del self._by_address[address]

    def _refuse(self, refusal: Refusal) -> Refusal:
        self._refused += 1
        now = self._clock()
        if now - self._reported_at >= _REPORT_SECONDS:
            self._reported_at = now
            log.warning(
                "connections_refused", extra=fields(count=self._refused, reason=refusal.value, open=self._count)
            )
            self._refused = 0
        return refusal
