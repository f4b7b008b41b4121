"""Whom an address stands for, where limits are counted by address."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from common.runtime.network_policy import Network

#: Looked-up addresses that are remembered: parsing one takes longer than all the rest of a check.
_REMEMBERED = 10_000

#: Whoever has one IPv6 address has at least this network of them.
_IPV6_PREFIX_BITS = 64


class Addresses:
    """Addresses of peers to what their limits are counted by."""

    def __init__(self, unlimited: Sequence[Network] = ()) -> None:
        """Nothing is counted for peers in one of the networks `unlimited`."""
        self._unlimited = tuple(unlimited)
        self._known: dict[str, str | None] = {}

    def counted_as(self, host: str) -> str | None:
        """What the peer at `host` is counted as; None for one that is not counted, as on a Unix socket (an empty host)."""
        try:
            return self._known[host]
        except KeyError:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            return self._known.setdefault(host, self._look_up(host))

    def _look_up(self, host: str) -> str | None:
        try:
            address = ip_address(host)
        except ValueError:
            return None
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in self._unlimited):
            return None
        if isinstance(address, IPv4Address):
            return str(address)
        return str(ip_network((address, _IPV6_PREFIX_BITS), strict=False))
