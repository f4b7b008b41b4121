"""Versions of services and ranges of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.errors import InvalidRequest
from common.domain.versions import Version, parse_range, parse_version

VERSIONS = st.builds(Version, *[st.integers(0, 30)] * 3)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("0", Version(0)),
        ("1", Version(1, 0, 0)),
        ("1.2", Version(1, 2, 0)),
        ("1.2.3", Version(1, 2, 3)),
        ("10.200.3000", Version(10, 200, 3000)),
        ("999999999999999999", Version(10**18 - 1)),
    ],
)
def test_a_version_has_one_to_three_numbers_and_missing_ones_are_zero(text: str, version: Version) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    "text",
    ["", ".", "1.", ".1", "1..2", "1.2.3.4", "01", "1.02", "00", "a", "1.a", "-1", "+1", "1 ", " 1", "1\n", "٣", "1,2",
     "INFINITY", "v1", "1" * 19, "1" * 5000],
)  # fmt: skip
def test_anything_else_is_no_version(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_version(text)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("[1.0.0,2.0.0)", ["1", "1.0.1", "1.9.9", "1.99"], ["0.9.9", "2", "2.0.1"]),
        ("[1,2]", ["1", "1.5", "2.0.0"], ["0.9", "2.0.1"]),
        ("(1,2)", ["1.0.1", "1.9"], ["1.0.0", "2"]),
        ("(1,2]", ["1.0.1", "2"], ["1", "2.0.1"]),
        ("[1.5,INFINITY)", ["1.5", "999.9.9"], ["1.4.9"]),
        ("(1.5,INFINITY]", ["1.5.1", "999"], ["1.5"]),
        ("1.2", ["1.2.0", "1.2.1", "7"], ["1.1.9"]),
        ("[2,2]", ["2"], ["1.9.9", "2.0.1"]),
        ("(2,2)", [], ["2"]),
        ("[3,2]", [], ["2", "2.5", "3"]),
    ],
)
def test_a_range_holds_what_lies_between_its_ends(text: str, inside: list[str], outside: list[str]) -> None:
    found = parse_range(text)

    assert all(parse_version(version) in found for version in inside)
    assert not any(parse_version(version) in found for version in outside)


@pytest.mark.parametrize(
    "text",
    ["", "a.b", "1.2.3.4", "[1.0,2.0", "1.0,2.0]", "[INFINITY,2.0]", "[INFINITY,INFINITY)", "INFINITY", "01.2",
     "[1.0.0,2.0.0)x", "x[1,2]", "[1, 2]", "[1,2,3]", "[1]", "[,2]", "[1,]", "{1,2}", "]1,2[", "[1,infinity)", "[1,2)\n"],
)  # fmt: skip
def test_anything_else_is_no_range(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_range(text)


@given(VERSIONS, VERSIONS, VERSIONS, st.sampled_from("[("), st.sampled_from("])"))
def test_ranges_agree_with_comparing(low: Version, high: Version, version: Version, left: str, right: str) -> None:
    text = f"{left}{'.'.join(map(str, low))},{'.'.join(map(str, high))}{right}"

    is_above = version >= low if left == "[" else version > low
    is_below = version <= high if right == "]" else version < high
    assert (version in parse_range(text)) == (is_above and is_below)
