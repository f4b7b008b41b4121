"""Range headers by the rules of RFC 9110, which hold where If-Range is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.chunks import Range
from common.domain.errors import RangeBeyondEnd
from common.rest.ranges import range_of_rfc


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-3", Range(0, 4)),
        ("bytes=5-", Range(5, 10)),
        ("bytes=-3", Range(7, 10)),
        ("bytes=-30", Range(0, 10)),
        ("bytes=0-99", Range(0, 10)),
        ("BYTES= 2-2 ", Range(2, 3)),
        ("bytes=0-" + "9" * 5000, Range(0, 10)),
        ("bytes=-" + "9" * 5000, Range(0, 10)),
        ("bytes=0-1,4-5", None),
        ("bytes=3-1", None),
        ("items=0-3", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes=a-b", None),
        ("bytes=٣-٥", None),
        ("nonsense", None),
    ],
)
def test_one_range_is_taken_and_everything_else_is_the_whole(text: str, expected: Range | None) -> None:
    assert range_of_rfc(text, 10) == expected


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=" + "9" * 5000 + "-"])
def test_a_range_beyond_the_end_says_how_many_bytes_there_are(text: str) -> None:
    with pytest.raises(RangeBeyondEnd) as caught:
        range_of_rfc(text, 10)
    assert caught.value.size_bytes == 10


def test_the_last_bytes_of_nothing_are_the_whole() -> None:
    assert range_of_rfc("bytes=-5", 0) is None


@given(st.text(alphabet="bytes=-,0123456789 \t", max_size=30), st.integers(0, 100))
def test_what_is_taken_lies_inside_the_data(text: str, size: int) -> None:
    try:
        taken = range_of_rfc(text, size)
    except RangeBeyondEnd:
        return
    assert taken is None or 0 <= taken.start < taken.end <= size
