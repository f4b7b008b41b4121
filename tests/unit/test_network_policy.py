"""Calls on behalf of others go to public addresses, and nowhere else unless an operator says so."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from common.runtime.network_policy import LOCAL_NETWORKS, NetworkPolicy, literal_address

PUBLIC = NetworkPolicy()
LOCAL = NetworkPolicy(LOCAL_NETWORKS)


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_may_be_called(text: str) -> None:
    assert PUBLIC.allows(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "255.255.255.255",
        "224.0.0.1",
        "240.0.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "203.0.113.9",
        "::",
        "::1",
        "::127.0.0.1",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "100::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2002:a00:1::",
    ],
)
def test_other_addresses_may_not(text: str) -> None:
    assert not PUBLIC.allows(ip_address(text))


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "fd00::1", "::ffff:127.0.0.1", "8.8.8.8"]
)
def test_local_networks_can_be_allowed(text: str) -> None:
    assert LOCAL.allows(ip_address(text))


@pytest.mark.parametrize("text", ["169.254.169.254", "fe80::1", "0.0.0.0", "100.64.0.1", "224.0.0.1"])
def test_local_networks_do_not_include_link_local_and_special_ones(text: str) -> None:
    assert not LOCAL.allows(ip_address(text))


def test_a_network_an_operator_names_is_allowed_whatever_it_is() -> None:
    policy = NetworkPolicy((ip_network("100.64.1.0/24"), ip_network("fe80::/64")))

    assert policy.allows(ip_address("100.64.1.9"))
    assert policy.allows(ip_address("::ffff:100.64.1.9"))
    assert policy.allows(ip_address("fe80::9"))
    assert not policy.allows(ip_address("100.64.2.9"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1"])
def test_an_address_is_known_in_every_form_a_resolver_takes(host: str) -> None:
    assert literal_address(host) == ip_address("127.0.0.1")


@pytest.mark.parametrize("host", ["localhost", "example.org", "1.2.3.4.example", "bücher.example", ""])
def test_a_name_is_no_address(host: str) -> None:
    assert literal_address(host) is None


def test_the_zone_of_an_address_does_not_hide_it() -> None:
    assert literal_address("fe80::1%eth0") == ip_address("fe80::1")
