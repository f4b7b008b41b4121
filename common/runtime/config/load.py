"""How much of the service one caller, one address and everybody together may take at a time."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

from common.runtime.config.webhooks import networks
from common.runtime.network_policy import Network
from common.runtime.setting_kinds import integer
from common.runtime.settings import setting

_MOST = 10_000_000
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Load."""

    connections: int = setting(
        "MaxConnections",
        "MAX_CONNECTIONS",
        integer(16, _MOST),
        20_000,
        "Connections open at once; when there are more, the one that has been idle longest is closed.",
        default_on_ess=1_000,
    )
    connections_per_address: int = setting(
        "MaxConnectionsPerAddress",
        "MAX_CONNECTIONS_PER_ADDRESS",
        integer(0, _MOST),
        5_000,
        "Connections open at once from one address; 0 sets no limit.",
        default_on_ess=500,
    )
    requests_per_second_per_address: int = setting(
        "MaxRequestsPerSecondPerAddress",
        "MAX_REQUESTS_PER_SECOND_PER_ADDRESS",
        integer(0, _MOST),
        1_000,
        "Requests a second from one address, looked at before credentials are; ten times as many at once; 0 sets no limit.",
    )
    requests_per_second: int = setting(
        "MaxRequestsPerSecond",
        "MAX_REQUESTS_PER_SECOND",
        integer(0, _MOST),
        1_000,
        "Requests a second of one caller; ten times as many at once; 0 sets no limit.",
    )
    unlimited_addresses: tuple[Network, ...] = setting(
        "UnlimitedAddresses",
        "UNLIMITED_ADDRESSES",
        networks(),
        _LOOPBACK,
        "Networks the limits per address are not for, such as those of proxies, behind which many callers share one.",
        example="127.0.0.0/8,::1/128,10.0.0.7/32",
    )
    uploads: int = setting(
        "MaxUploads",
        "MAX_UPLOADS",
        integer(1, _MOST),
        256,
        "Uploads of data under way at once, of all callers.",
        default_on_ess=64,
    )
    transfers_per_caller: int = setting(
        "MaxTransfersPerCaller",
        "MAX_TRANSFERS_PER_CALLER",
        integer(1, _MOST),
        64,
        "Uploads under way at once of one caller, and as many downloads.",
    )
    transfer_bytes_per_second: int = setting(
        "MinTransferRate",
        "MIN_TRANSFER_RATE",
        integer(0, _MOST, unit="bytes per second"),
        100,
        "Slowest rate at which a peer may send a body or take an answer, over MinTransferRateTime; 0 sets no limit.",
    )
    transfer_window_seconds: int = setting(
        "MinTransferRateTime",
        "MIN_TRANSFER_RATE_TIME",
        integer(1, 3600, unit="seconds"),
        30,
        "Time over which MinTransferRate is measured, and longest time without a byte.",
    )
    head_bytes: int = setting(
        "MaxHeadKB",
        "MAX_HEAD_KB",
        integer(8, 1024, unit="KiB", scale=1024),
        64 * 1024,
        "Largest head of a request: its first line and its header fields.",
    )
    header_fields: int = setting(
        "MaxHeaderFields",
        "MAX_HEADER_FIELDS",
        integer(16, 10_000),
        100,
        "Most header fields of a request.",
    )
