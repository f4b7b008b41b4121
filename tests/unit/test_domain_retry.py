"""Back-off stays between its bounds, whatever it is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.retry import ANNOUNCED_RETRY, FAILURE_RETRY, OFFER_RETRY, RetryPolicy

POLICIES = [OFFER_RETRY, ANNOUNCED_RETRY, FAILURE_RETRY]

policies = st.builds(
    lambda first_ms, more_ms: RetryPolicy(first_ms, first_ms + more_ms), st.integers(1, 10**6), st.integers(0, 10**9)
)
attempt_counts = st.integers(0, 10**12)


def test_delays_double_up_to_the_longest() -> None:
    policy = RetryPolicy(first_ms=100, longest_ms=1000)

    assert [policy.ceiling_ms(attempts) for attempts in (1, 2, 3, 4, 5, 6)] == [100, 200, 400, 800, 1000, 1000]


def test_before_the_first_attempt_counts_as_the_first() -> None:
    policy = RetryPolicy(first_ms=100, longest_ms=1000)

    assert policy.ceiling_ms(0) == policy.ceiling_ms(-5) == policy.ceiling_ms(1)


@given(policies, attempt_counts)
def test_a_ceiling_is_between_first_and_longest(policy: RetryPolicy, attempts: int) -> None:
    assert policy.first_ms <= policy.ceiling_ms(attempts) <= policy.longest_ms


@given(policies, attempt_counts, attempt_counts)
def test_more_attempts_never_wait_less(policy: RetryPolicy, one: int, other: int) -> None:
    fewer, more = sorted((one, other))

    assert policy.ceiling_ms(fewer) <= policy.ceiling_ms(more)


@given(policies, attempt_counts, st.floats(0, 1, exclude_max=True))
def test_a_delay_is_between_zero_and_its_ceiling(policy: RetryPolicy, attempts: int, random: float) -> None:
    assert 0 <= policy.delay_ms(attempts, random) <= policy.ceiling_ms(attempts)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_policies_in_use_start_within_a_minute_and_end_within_an_hour(policy: RetryPolicy) -> None:
    assert 1_000 <= policy.first_ms <= 60_000
    assert policy.first_ms < policy.longest_ms <= 3_600_000
