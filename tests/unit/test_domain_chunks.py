"""Coverage, compared with a set that holds every byte."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.chunks import Coverage, Range

LIMIT = 40

positions = st.integers(0, LIMIT)
ranges = st.tuples(positions, positions).map(lambda ends: (min(ends), max(ends)))
additions = st.lists(ranges, max_size=12)


def bytes_of(additions: list[tuple[int, int]]) -> set[int]:
    return {byte for start, end in additions for byte in range(start, end)}


def bytes_in(coverage: Coverage) -> set[int]:
    return bytes_of([(start, end) for start, end in coverage.ranges])


@given(additions)
def test_coverage_holds_exactly_the_bytes_that_were_added(added: list[tuple[int, int]]) -> None:
    assert bytes_in(Coverage.of(added)) == bytes_of(added)


@given(additions)
def test_ranges_are_ascending_and_neither_empty_nor_touching(added: list[tuple[int, int]]) -> None:
    kept = Coverage.of(added).ranges

    assert all(start < end for start, end in kept)
    assert all(one.end < other.start for one, other in itertools.pairwise(kept))


@given(additions, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(added: list[tuple[int, int]], random: Random) -> None:
    shuffled = list(added)
    random.shuffle(shuffled)

    assert Coverage.of(shuffled) == Coverage.of(added)


@given(additions)
def test_what_comes_twice_counts_once(added: list[tuple[int, int]]) -> None:
    assert Coverage.of([*added, *added]) == Coverage.of(added)


@given(additions, positions)
def test_what_is_missing_and_what_is_there_make_the_whole(added: list[tuple[int, int]], size: int) -> None:
    coverage = Coverage.of(added)
    gaps = list(coverage.missing(size))

    assert bytes_of([(start, end) for start, end in gaps]) == set(range(size)) - bytes_of(added)
    assert gaps == sorted(gaps)
    assert all(start < end for start, end in gaps)
    assert coverage.covers(size) == (not gaps)


@given(additions)
def test_received_bytes_count_each_byte_once(added: list[tuple[int, int]]) -> None:
    assert Coverage.of(added).received_bytes == len(bytes_of(added))


@given(additions)
def test_contiguous_bytes_reach_from_the_start_to_the_first_gap(added: list[tuple[int, int]]) -> None:
    there = bytes_of(added)

    first_gap = next(byte for byte in range(LIMIT + 1) if byte not in there)
    assert Coverage.of(added).contiguous_bytes == first_gap


@pytest.mark.parametrize(("start", "end"), [(-1, 0), (-2, -1), (5, 4)])
def test_what_is_not_a_byte_range_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="byte range"):
        Coverage().add(start, end)


def test_a_payload_of_no_bytes_is_complete_from_the_start() -> None:
    assert Coverage().covers(0)
    assert not Coverage().covers(1)


def test_payloads_of_many_gigabytes_cost_no_more_than_small_ones() -> None:
    size = 1 << 42
    coverage = Coverage.of([(0, size // 2), (size // 2 + 1, size)])

    assert list(coverage.missing(size)) == [Range(size // 2, size // 2 + 1)]
    assert coverage.received_bytes == size - 1
    assert coverage.add(size // 2, size // 2 + 1).covers(size)
