"""Failed logins get slower, without anybody being locked out by the failures of others.

Failures are counted for each application key and address together, and for each address; never for a key alone, or a
stranger could keep its owner out from anywhere. Beyond a number that are free, each further one doubles the time for
which that caller is not even heard.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from common.domain.errors import TooManyLogins

#: Failures of one address, whatever the keys, that are free for each one of a single key: many may share an address.
_KEYS_PER_ADDRESS = 5

_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 300.0

#: Failures are forgotten when there was none for so long.
_MEMORY_SECONDS = 900.0

#: Callers remembered of each kind; the ones that failed longest ago make room.
_MOST_CALLERS = 10_000

#: An IPv6 customer has a network of this size to himself.
_IPV6_PREFIX = 64


@dataclass(slots=True)
class _Failures:
    count: int
    last_at: float
    heard_again_at: float = 0.0


class LoginThrottle:
    """For the event loop. Without `free_failures` nobody is ever throttled."""

    def __init__(self, monotonic: Callable[[], float], free_failures: int) -> None:
        self._monotonic = monotonic
        self._free_failures = free_failures
        self._callers: dict[Hashable, _Failures] = {}
        self._addresses: dict[Hashable, _Failures] = {}

    def check(self, app_key: str, address: str) -> None:
        """Raises TooManyLogins while the caller is not heard; the attempt then counts as none."""
        place = _place(address)
        waits = [self._wait(self._callers, (app_key, place)), self._wait(self._addresses, place)]
        if max(waits) > 0:
            raise TooManyLogins(max(waits))

    def failed(self, app_key: str, address: str) -> bool:
        """Count a failure; whether the caller is not heard for some time now."""
        if not self._free_failures:
            return False
        place = _place(address)
        is_caller_slow = self._count(self._callers, (app_key, place), self._free_failures)
        is_address_slow = self._count(self._addresses, place, self._free_failures * _KEYS_PER_ADDRESS)
        return is_caller_slow or is_address_slow

    def succeeded(self, app_key: str, address: str) -> None:
        """The failures of this key from this address are forgotten, those of the address are not: others share it."""
        self._callers.pop((app_key, _place(address)), None)

    def _wait(self, failures: dict[Hashable, _Failures], who: Hashable) -> float:
        found = failures.get(who)
        return found.heard_again_at - self._monotonic() if found else 0.0

    def _count(self, failures: dict[Hashable, _Failures], who: Hashable, free: int) -> bool:
        now = self._monotonic()
        # Taken out and put back: the order of a dict is then that of the last failures.
        found = failures.pop(who, None)
        if found is None or now - found.last_at > _MEMORY_SECONDS:
            found = _Failures(0, now)
        found.count += 1
        found.last_at = now
        beyond = found.count - free
        if beyond > 0:
            wait_seconds = min(_FIRST_WAIT_SECONDS * 2.0 ** min(beyond - 1, 30), _LONGEST_WAIT_SECONDS)
            found.heard_again_at = now + wait_seconds
        if len(failures) >= _MOST_CALLERS:
            del failures[next(iter(failures))]
        failures[who] = found
        return beyond > 0


def _place(address: str) -> str:
    """The network that one customer has; text that is no address stands for itself."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(IPv6Address(int(parsed) >> (128 - _IPV6_PREFIX) << (128 - _IPV6_PREFIX)))
    return str(parsed)
