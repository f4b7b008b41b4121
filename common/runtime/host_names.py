"""What this machine is called, for the certificate it makes for itself."""

from __future__ import annotations

import fcntl
import socket
import struct
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

_FULL_NAME_SECONDS = 0.5
_SIOCGIFADDR = 0x8915
_INTERFACE_NAME_BYTES = 15
_IPV6_ADDRESSES = Path("/proc/net/if_inet6")


def host_names() -> set[str]:
    """The host's name, and its full name if the resolver knows it soon."""
    name = socket.gethostname()
    found = [name]
    # The resolver may be down, and then takes its time: a start does not wait for that.
    asking = threading.Thread(target=lambda: found.append(socket.getfqdn(name)), daemon=True)
    asking.start()
    asking.join(_FULL_NAME_SECONDS)
    return {each for each in found if each}


def host_addresses() -> set[str]:
    """The addresses by which others may reach this machine: neither loopback nor link-local."""
    addresses = {ip_address(text) for text in (*_ipv4(), *_ipv6())}
    return {str(each) for each in addresses if not (each.is_loopback or each.is_link_local or each.is_unspecified)}


def _ipv4() -> Iterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:_INTERFACE_NAME_BYTES])
            try:
                answer = fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, request)
            except OSError:
                continue  # it has no IPv4 address
            yield socket.inet_ntoa(answer[20:24])


def _ipv6() -> Iterator[str]:
    try:
        lines = _IPV6_ADDRESSES.read_text(encoding="ascii").splitlines()
    except OSError:
        return
    for line in lines:
        digits = line.split()[0]
        yield ":".join(digits[at : at + 4] for at in range(0, 32, 4))
