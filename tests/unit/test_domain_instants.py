"""Moments in text: RFC 3339 in, instants out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.errors import InvalidRequest
from common.domain.instants import format_instant, parse_instant_ms, parse_instant_ns


@pytest.mark.parametrize(
    "text",
    [
        "2031-01-01T00:00:00Z",
        "2031-01-01T02:00:00+02:00",
        "2030-12-31T16:00:00-08:00",
        "2031-01-01T00:00:00.000Z",
        "2031-01-01T05:45:00+05:45",
    ],
)
def test_one_instant_has_many_spellings(text: str) -> None:
    assert parse_instant_ms(text) == 1_924_992_000_000


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
        ("2026-01-01T00:00:00.1234567891Z", 1_767_225_600_123_456_789),
        ("9999-12-31T23:59:59-23:59", 253_402_387_139_000_000_000),
    ],
)
def test_fractions_count_to_the_nanosecond(text: str, expected_ns: int) -> None:
    assert parse_instant_ns(text) == expected_ns


def test_milliseconds_are_never_earlier_than_the_instant() -> None:
    assert parse_instant_ms("1970-01-01T00:00:00.0000001Z") == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2031-01-01",
        "2031-01-01T00:00:00",
        "2031-01-01t00:00:00z",
        "2031-01-01 00:00:00Z",
        "2031-13-01T00:00:00Z",
        "2031-02-30T00:00:00Z",
        "2031-01-01T25:00:00Z",
        "2031-01-01T00:00:00+25:00",
        "2031-01-01T00:00:00.Z",
        "2031-01-01T00:00:00Z ",
        "٢٠٣١-01-01T00:00:00Z",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_instant_ns(text)


@given(st.integers(min_value=0, max_value=253_402_300_799))
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert parse_instant_ms(format_instant(seconds * 1000)) == seconds * 1000
