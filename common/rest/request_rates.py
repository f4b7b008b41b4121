"""How many requests a second an address and a caller may make, and how soon those hear of it who make more.

Whoever is refused again and again gets each further refusal late. Clients that wait for an answer before they ask again,
as all do, then ask less often than the service can bear, and it need not do more for them than wait.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from starlette.types import Scope

from common.domain.errors import TooManyRequests
from common.domain.principals import Principal
from common.runtime.addresses import Addresses
from common.runtime.config.load import Load
from common.runtime.rates import Rates

#: Of the requests an address may make, as many may be refused without delay.
_REFUSED_SHARE = 0.1
_PAUSE_SECONDS = 1.0

#: Whoever watches over the service is not to be told that it is busy.
_UNCOUNTED = frozenset({"/livez", "/readyz"})


class RequestRates:
    """Counts the requests of this process."""

    def __init__(self, load: Load, clock: Callable[[], float]) -> None:
        self._addresses = Addresses(load.unlimited_addresses)
        self._by_address = Rates(load.requests_per_second_per_address, clock)
        self._refusals = Rates(load.requests_per_second_per_address * _REFUSED_SHARE, clock)
        self._by_caller = Rates(load.requests_per_second, clock)

    def count_address(self, scope: Scope) -> None:
        """Before anything of the request is looked at. Raises TooManyRequests."""
        address = self._address_of(scope)
        if address is not None and scope["path"] not in _UNCOUNTED:
            _refuse_for(self._by_address.take(address))

    def count_caller(self, principal: Principal) -> None:
        """Before anything is done for the caller. Raises TooManyRequests."""
        _refuse_for(self._by_caller.take(principal))

    def pause_before_refusal(self, scope: Scope) -> float:
        """Seconds that whoever is refused has to wait for the answer that says so: none, unless it happens a lot."""
        address = self._address_of(scope)
        return _PAUSE_SECONDS if address is not None and self._refusals.take(address) else 0.0

    def _address_of(self, scope: Scope) -> str | None:
        client = scope.get("client")
        return self._addresses.counted_as(client[0]) if client else None


def _refuse_for(seconds: float) -> None:
    if seconds:
        raise TooManyRequests("Too many requests; try again later.", retry_after_seconds=math.ceil(seconds))
