"""What every PayloadStore promises, asked of each of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from common.store.payload_tables import CHUNK_BYTES
from common.sync.payloads import PayloadIncomplete, PayloadMissing, PayloadSealed, PayloadStore
from tests.support.payload_places import NAME, OTHER_NAME, Place, stage, stored, write_and_flush
from tests.support.payload_process import content_of


def test_what_was_staged_is_read_back_after_the_seal(store: PayloadStore) -> None:
    stage(store, NAME, (0, b"hello "), (6, b"world"))

    store.seal(NAME, 11)

    assert store.size(NAME) == 11
    assert store.read(NAME, 0, 11) == b"hello world"
    assert store.read(NAME, 4, 7) == b"o w"


def test_reading_is_clipped_at_the_end(store: PayloadStore) -> None:
    stage(store, NAME, (0, b"abc"))
    store.seal(NAME, 3)

    assert [store.read(NAME, *bounds) for bounds in [(1, 99), (3, 5), (7, 9), (2, 2)]] == [b"bc", b"", b"", b""]


@pytest.mark.parametrize("size_bytes", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 3_333_333])
def test_any_size_survives_the_way_in_and_out(store: PayloadStore, size_bytes: int) -> None:
    content = content_of(NAME, size_bytes)
    with store.writer(NAME) as writer:
        for start in range(0, size_bytes, 70_001):
            writer.write(start, memoryview(content)[start : start + 70_001])
        writer.flush()
    store.seal(NAME, size_bytes)

    with store.open(NAME) as reader:
        assert reader.size_bytes == size_bytes
        assert b"".join(reader.read(at, at + 300_007) for at in range(0, size_bytes, 300_007)) == content
    assert store.read(NAME, 0, size_bytes) == content


def test_a_payload_of_no_bytes_needs_no_writing(store: PayloadStore) -> None:
    store.seal(NAME, 0)

    assert (store.size(NAME), store.read(NAME, 0, 10)) == (0, b"")


def test_nothing_is_readable_before_the_seal(store: PayloadStore) -> None:
    stage(store, NAME, (0, b"abc"))

    reads: list[Callable[[], object]] = [
        lambda: store.read(NAME, 0, 1),
        lambda: store.size(NAME),
        lambda: store.open(NAME),
    ]
    for read in reads:
        with pytest.raises(PayloadMissing):
            read()


def test_flushed_bytes_can_be_read_again_before_the_seal(place: Place) -> None:
    stage(place.open(), NAME, (0, b"abc"))

    assert place.open().read_staged(NAME, 1, 99) == b"bc"
    assert place.open().read_staged(OTHER_NAME, 0, 9) == b""


def test_pieces_may_come_in_any_order_and_overlap(store: PayloadStore) -> None:
    content = content_of(NAME, 2 * CHUNK_BYTES + 500)
    bounds = [(CHUNK_BYTES + 3, len(content)), (700, CHUNK_BYTES + 10), (100, 900), (0, 150), (5, 6)]

    stage(store, NAME, *[(start, content[start:end]) for start, end in bounds])
    store.seal(NAME, len(content))

    assert store.read(NAME, 0, len(content)) == content


def test_surplus_bytes_are_cut_off(store: PayloadStore) -> None:
    content = content_of(NAME, 3 * CHUNK_BYTES)
    stage(store, NAME, (0, content))

    store.seal(NAME, CHUNK_BYTES + 77)

    assert store.read(NAME, 0, len(content)) == content[: CHUNK_BYTES + 77]


@pytest.mark.parametrize("size_bytes", [4, CHUNK_BYTES, 5 * CHUNK_BYTES])
def test_a_seal_beyond_what_is_staged_is_refused_and_changes_nothing(store: PayloadStore, size_bytes: int) -> None:
    stage(store, NAME, (0, b"abc"))

    with pytest.raises(PayloadIncomplete):
        store.seal(NAME, size_bytes)
    with pytest.raises(PayloadIncomplete):
        store.seal(OTHER_NAME, size_bytes)

    assert store.read_staged(NAME, 0, 9) == b"abc"
    assert set(stored(store)) == {(NAME, False)}
    store.seal(NAME, 3)


def test_sealing_again_succeeds_with_the_same_size_only(store: PayloadStore) -> None:
    stage(store, NAME, (0, b"abc"))
    store.seal(NAME, 3)

    store.seal(NAME, 3)
    with pytest.raises(PayloadSealed):
        store.seal(NAME, 2)

    assert store.read(NAME, 0, 9) == b"abc"


def test_a_sealed_payload_cannot_be_opened_for_writing(store: PayloadStore) -> None:
    stage(store, NAME, (0, b"abc"))
    store.seal(NAME, 3)

    with pytest.raises(PayloadSealed):
        store.writer(NAME)

    assert set(stored(store)) == {(NAME, True)}


def test_a_writer_left_open_cannot_reach_into_a_sealed_payload(place: Place) -> None:
    store, other_replica = place.open(), place.open()
    straggler = store.writer(NAME)
    stage(other_replica, NAME, (0, b"abc"))
    other_replica.seal(NAME, 3)

    with straggler, pytest.raises(PayloadSealed):
        write_and_flush(straggler, b"XYZ-and-more")

    assert store.read(NAME, 0, 99) == b"abc"


def test_a_writer_left_open_cannot_bring_back_a_deleted_payload(store: PayloadStore) -> None:
    straggler = store.writer(NAME)
    store.delete(NAME)

    with straggler, pytest.raises(PayloadMissing):
        write_and_flush(straggler, b"abc")

    assert stored(store) == {}


def test_a_writer_is_of_no_use_after_close_or_failure(store: PayloadStore) -> None:
    closed, failed = store.writer(NAME), store.writer(NAME)
    closed.close()
    closed.close()
    store.delete(NAME)
    with suppress(PayloadMissing):
        write_and_flush(failed, b"abc")

    for writer in (closed, failed):
        with pytest.raises(ValueError, match="closed or has failed"):
            writer.write(0, b"abc")
        with pytest.raises(ValueError, match="closed or has failed"):
            writer.flush()
        writer.close()


def test_writers_of_one_payload_do_not_undo_each_other(place: Place) -> None:
    content = content_of(NAME, 3 * CHUNK_BYTES)
    step = 200_003

    def write_every_third(first: int) -> None:
        with place.open().writer(NAME) as writer:
            for start in range(first * step, len(content), 3 * step):
                writer.write(start, content[start : start + step])
                writer.flush()

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(write_every_third, range(3)))
    place.open().seal(NAME, len(content))

    assert place.open().read(NAME, 0, len(content)) == content


def test_many_seals_at_once_are_one(place: Place) -> None:
    stage(place.open(), NAME, (0, b"abc"))
    together = threading.Barrier(4)

    def seal(_: int) -> None:
        store = place.open()
        together.wait()
        store.seal(NAME, 3)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(seal, range(4)))

    assert stored(place.open()).keys() == {(NAME, True)}


def test_deleting_removes_what_is_staged_and_sealed_and_can_be_repeated(store: PayloadStore) -> None:
    stage(store, NAME, (0, b"abc"))
    stage(store, OTHER_NAME, (0, b"abc"))
    store.seal(OTHER_NAME, 3)

    for name in (NAME, OTHER_NAME, NAME):
        store.delete(name)

    assert stored(store) == {}
    with pytest.raises(PayloadMissing):
        store.read(OTHER_NAME, 0, 1)


def test_a_deleted_payload_can_be_staged_from_the_start(store: PayloadStore) -> None:
    stage(store, NAME, (0, b"abcdef"))
    store.delete(NAME)

    stage(store, NAME, (0, b"abc"))
    store.seal(NAME, 3)

    assert store.read(NAME, 0, 9) == b"abc"


def test_names_tell_what_is_stored_and_since_when(store: PayloadStore) -> None:
    before = time.time()
    stage(store, NAME, (0, b"abc"))
    stage(store, OTHER_NAME, (0, b"abc"))
    store.seal(OTHER_NAME, 3)

    listed = stored(store)

    assert set(listed) == {(NAME, False), (OTHER_NAME, True)}
    assert all(before - 1 <= modified_at <= time.time() + 1 for modified_at in listed.values())


def test_more_names_than_a_page_holds_are_all_listed(store: PayloadStore) -> None:
    names = {f"{number:064x}" for number in range(1003)}
    for name in names:
        with suppress(PayloadIncomplete):
            store.writer(name).close()

    assert {name for name, _, _ in store.names()} == names


@pytest.mark.parametrize("name", ["", "ab", "../" + "a" * 61, "A" * 64, "g" * 64, "a" * 64 + "\n", "a" * 63 + "/"])
def test_only_payload_names_reach_the_storage(store: PayloadStore, name: str) -> None:
    for attempt in (store.writer, store.open, store.size, store.delete):
        with pytest.raises(ValueError, match="not a payload name"):
            attempt(name)
    with pytest.raises(ValueError, match="not a payload name"):
        store.seal(name, 0)
    with pytest.raises(ValueError, match="not a payload name"):
        store.read_staged(name, 0, 1)


def test_impossible_positions_are_refused(store: PayloadStore) -> None:
    stage(store, NAME, (0, b"abc"))

    with store.writer(NAME) as writer, pytest.raises(ValueError, match="not an offset"):
        writer.write(-1, b"abc")
    with pytest.raises(ValueError, match="not a byte range"):
        store.read_staged(NAME, 2, 1)
    with pytest.raises(ValueError, match="not a byte range"):
        store.seal(NAME, -1)
