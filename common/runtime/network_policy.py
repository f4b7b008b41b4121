"""Which addresses the service may be made to call: a URL somebody registers must not reach what only we can reach."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

#: What applications on the same box or site have.
LOCAL_NETWORKS: tuple[Network, ...] = tuple(
    ip_network(text) for text in ("127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)

#: Translators forward these to the IPv4 address in their last 32 bits.
_NAT64 = IPv6Network("64:ff9b::/96")

#: Reachable only by who is near, though `is_global` of some versions says otherwise.
_SPECIAL: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "fec0::/10",
    )
)


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Public addresses, and those of `allowed` networks."""

    allowed: tuple[Network, ...] = ()

    def allows(self, address: Address) -> bool:
        """Whether a call may go there. What stands for an IPv4 address is judged as that address."""
        address = effective(address)
        return _is_within(address, self.allowed) or _is_public(address)


def literal_address(host: str) -> Address | None:
    """The address a host of a URL spells out, in any form the system's resolver takes; None for a name."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        # 127.1, 0x7f000001 and 2130706433, too, are 127.0.0.1.
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeEncodeError):
        return None


def effective(address: Address) -> Address:
    """The IPv4 address inside a mapped, translated or 6to4 address; any other as it is."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.sixtofour or address


def _is_public(address: Address) -> bool:
    is_ordinary = address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
    return is_ordinary and not _is_within(address, _SPECIAL)


def _is_within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
