"""Calls to the webhooks of applications."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

from common.runtime.network_policy import LOCAL_NETWORKS, Network, NetworkPolicy
from common.runtime.setting_kinds import integer, quoted
from common.runtime.settings import BadValue, Kind, setting


def networks() -> Kind[tuple[Network, ...]]:
    """A comma list of networks in CIDR notation, or nothing."""

    def parse(text: str) -> tuple[Network, ...]:
        items = [item.strip() for item in text.split(",")] if text.strip() else []
        return tuple(dict.fromkeys(_network(item) for item in items))

    return Kind(
        parse=parse,
        show=lambda value: ",".join(map(str, value)),
        expects="networks such as 10.20.0.0/16 (several with commas)",
        takes_empty=True,
    )


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise BadValue(f"is {quoted(text)}, which is not a network") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """Webhooks."""

    allowed_networks: tuple[Network, ...] = setting(
        "WebhookAllowedNetworks",
        "WEBHOOK_ALLOWED_NETWORKS",
        networks(),
        (),
        "Networks besides the public internet that webhooks may be in; redirects and names that lead elsewhere are refused.",
        default_on_ess=LOCAL_NETWORKS,
        example="10.20.0.0/16",
    )
    timeout_seconds: int = setting(
        "WebhookTimeout",
        "WEBHOOK_TIMEOUT",
        integer(1, 300, unit="seconds"),
        10,
        "Time limit of a call, from the look-up of the name to the end of the answer.",
    )
    give_up_seconds: int = setting(
        "WebhookGiveUpHours",
        "WEBHOOK_GIVE_UP_HOURS",
        integer(1, 24 * 365, unit="hours", scale=3600),
        24 * 3600,
        "Age at which a call that keeps failing becomes a dead letter.",
    )

    @property
    def policy(self) -> NetworkPolicy:
        return NetworkPolicy(self.allowed_networks)
