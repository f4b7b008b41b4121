"""Failed logins get slower, for whoever fails and nobody else."""

from __future__ import annotations

import pytest

from common.domain.errors import TooManyLogins
from common.runtime.authentication.throttle import LoginThrottle
from tests.support.manual_clock import ManualClock

HERE, THERE = "192.0.2.1", "198.51.100.7"
FREE = 3


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def throttle(clock: ManualClock) -> LoginThrottle:
    return LoginThrottle(clock.monotonic, FREE)


def fail(throttle: LoginThrottle, times: int, app_key: str = "ann", address: str = HERE) -> None:
    for _ in range(times):
        throttle.failed(app_key, address)


def wait_seconds(throttle: LoginThrottle, app_key: str = "ann", address: str = HERE) -> float:
    try:
        throttle.check(app_key, address)
    except TooManyLogins as error:
        return error.retry_after_seconds
    return 0.0


def test_the_first_failures_are_free(throttle: LoginThrottle) -> None:
    fail(throttle, FREE)

    assert wait_seconds(throttle) == 0


def test_each_further_failure_doubles_the_wait_up_to_a_limit(throttle: LoginThrottle) -> None:
    fail(throttle, FREE)
    waits = []
    for _ in range(12):
        fail(throttle, 1)
        waits.append(wait_seconds(throttle))

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_after_the_wait_one_more_attempt_is_heard(throttle: LoginThrottle, clock: ManualClock) -> None:
    fail(throttle, FREE + 3)
    clock.advance(seconds=3.9)
    assert wait_seconds(throttle) == pytest.approx(0.1)
    clock.advance(seconds=0.1)

    assert wait_seconds(throttle) == 0


def test_nobody_is_kept_out_by_failures_from_elsewhere(throttle: LoginThrottle) -> None:
    fail(throttle, 1000)

    assert wait_seconds(throttle) > 0
    assert wait_seconds(throttle, address=THERE) == 0


def test_many_keys_from_one_address_are_slow_together(throttle: LoginThrottle) -> None:
    for number in range(FREE * 5 + 1):
        fail(throttle, 1, app_key=f"key-{number}")

    assert wait_seconds(throttle, "another") > 0
    assert wait_seconds(throttle, "another", THERE) == 0


def test_a_success_forgives_the_failures_of_its_key_but_not_those_of_the_address(throttle: LoginThrottle) -> None:
    fail(throttle, FREE)
    throttle.succeeded("ann", HERE)
    fail(throttle, FREE)
    assert wait_seconds(throttle) == 0

    for number in range(FREE * 5):
        fail(throttle, 1, app_key=f"key-{number}")
        throttle.succeeded("own", HERE)
    assert wait_seconds(throttle, "own") > 0


def test_failures_are_forgotten_after_a_quarter_of_an_hour(throttle: LoginThrottle, clock: ManualClock) -> None:
    fail(throttle, FREE + 5)
    clock.advance(seconds=901)
    fail(throttle, 1)

    assert wait_seconds(throttle) == 0


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "", True),
        ("", "192.0.2.1", False),
    ],
)
def test_an_address_stands_for_what_one_customer_has(one: str, other: str, are_one: bool) -> None:
    throttle = LoginThrottle(ManualClock().monotonic, FREE)
    fail(throttle, FREE + 1, address=one)

    assert (wait_seconds(throttle, address=other) > 0) is are_one


def test_memory_is_bounded_whoever_fails(throttle: LoginThrottle) -> None:
    fail(throttle, FREE + 1, "old", HERE)
    for number in range(10_050):
        fail(throttle, 1, f"key-{number}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert (len(throttle._callers), len(throttle._addresses)) == (10_000, 10_000)
    assert wait_seconds(throttle, "old") == 0


def test_without_a_number_nobody_ever_waits() -> None:
    throttle = LoginThrottle(ManualClock().monotonic, 0)
    fail(throttle, 1000)

    assert wait_seconds(throttle) == 0
