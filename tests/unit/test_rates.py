"""Token buckets and whom they are for."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from common.domain.errors import TooManyRequests
from common.rest.request_rates import RequestRates
from common.runtime.addresses import Addresses
from common.runtime.config.load import Load
from common.runtime.rates import BURST_SECONDS, Rates


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_passes_and_then_the_rate(clock: Clock) -> None:
    rates = Rates(2, clock)
    burst = int(2 * BURST_SECONDS)

    assert [rates.take("a") for _ in range(burst)] == [0.0] * burst
    assert rates.take("a") == pytest.approx(0.5)
    clock.now += 0.5
    assert rates.take("a") == 0.0
    assert rates.take("a") == pytest.approx(0.5)


def test_refused_requests_cost_nothing(clock: Clock) -> None:
    rates = Rates(1, clock)
    for _ in range(int(BURST_SECONDS)):
        rates.take("a")
    for _ in range(100):
        assert rates.take("a") == pytest.approx(1.0)
    clock.now += 1
    assert rates.take("a") == 0.0


def test_each_has_a_bucket_of_its_own(clock: Clock) -> None:
    rates = Rates(1, clock)
    while not rates.take("a"):
        pass

    assert rates.take("b") == 0.0


def test_a_rate_of_nothing_sets_no_limit(clock: Clock) -> None:
    rates = Rates(0, clock)

    assert not any(rates.take("a") for _ in range(1000))
    assert len(rates) == 0


def test_the_number_of_buckets_is_bounded_and_the_busy_one_stays(clock: Clock) -> None:
    rates = Rates(1, clock, most_buckets=10)
    while not rates.take("busy"):
        pass
    for stranger in range(1000):
        rates.take(stranger)
        if stranger % 5 == 0:
            clock.now += 1.0
            rates.take("busy")

    assert len(rates) == 10
    assert rates.take("busy") > 0


@pytest.mark.parametrize(
    ("host", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("127.0.0.1", None),
        ("::ffff:127.0.0.9", None),
        ("::1", None),
        ("", None),
        ("/run/sync.sock", None),
    ],
)
def test_addresses_are_counted_by_whoever_has_them(host: str, counted_as: str | None) -> None:
    addresses = Addresses([ip_network("127.0.0.0/8"), ip_network("::1/128")])

    assert addresses.counted_as(host) == counted_as
    assert addresses.counted_as(host) == counted_as


def a_scope(host: str, path: str = "/api/v1/health") -> dict[str, object]:
    return {"type": "http", "client": (host, 1234), "path": path}


def test_whoever_is_refused_again_and_again_waits_for_it(clock: Clock) -> None:
    rates = RequestRates(Load(requests_per_second_per_address=10), clock)
    pauses = [rates.pause_before_refusal(a_scope("192.0.2.1")) for _ in range(20)]

    assert pauses == [0.0] * 10 + [1.0] * 10
    assert rates.pause_before_refusal(a_scope("192.0.2.2")) == 0.0
    assert not any(rates.pause_before_refusal(a_scope("127.0.0.1")) for _ in range(100))


def test_those_who_watch_over_the_service_are_not_counted(clock: Clock) -> None:
    rates = RequestRates(Load(requests_per_second_per_address=1), clock)
    for _ in range(10):
        rates.count_address(a_scope("192.0.2.1"))
    with pytest.raises(TooManyRequests):
        rates.count_address(a_scope("192.0.2.1"))

    rates.count_address(a_scope("192.0.2.1", "/livez"))
    rates.count_address(a_scope("192.0.2.1", "/readyz"))
    rates.count_address({**a_scope(""), "client": None})
