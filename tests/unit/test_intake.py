"""Bytes between the event loop and a payload store, over stores and hashes that are real and over writers that fail."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
import pytest

from common.domain.errors import TooLarge
from common.runtime.intake import SEND_PIECE_BYTES, SLOW_PIECE_BYTES, receive, send_range
from common.store.payload_files import FilePayloadStore
from common.sync.payloads import PayloadMissing, PayloadReader, PayloadStoreFull, Piece
from tests.support.payload_process import content_of
from tests.support.payloads import MemoryPayloadStore

NAME = "5e" * 32
CONTENT = content_of(NAME, 5_000_000)


class Disconnected(Exception):
    """The client went away."""


class RecordingWriter:
    """A writer that remembers what it was asked, can be held up, and can fail."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.fails_at = fails_at
        self.written = bytearray()
        self.flushed_bytes = 0
        self.may_write = threading.Event()
        self.may_write.set()

    def write(self, offset: int, piece: Piece) -> None:
        assert self.may_write.wait(10)
        if self.fails_at is not None and offset + len(piece) > self.fails_at:
            raise PayloadStoreFull
        assert offset == len(self.written)
        self.written += piece

    def flush(self) -> None:
        assert self.may_write.wait(10)
        self.flushed_bytes = len(self.written)

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


async def pieces_of(content: bytes, piece_bytes: int = 64 << 10) -> AsyncIterator[bytes]:
    for start in range(0, len(content), piece_bytes):
        yield content[start : start + piece_bytes]
        await asyncio.sleep(0)


async def broken_off(content: bytes, after_bytes: int) -> AsyncIterator[bytes]:
    async for piece in pieces_of(content[:after_bytes]):
        yield piece
    raise Disconnected


async def stalled(content: bytes, after_bytes: int, reached: asyncio.Event) -> AsyncIterator[bytes]:
    async for piece in pieces_of(content[:after_bytes]):
        yield piece
    reached.set()
    await asyncio.Event().wait()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it becomes true in another thread
            await asyncio.sleep(0.001)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main`; afterwards no task is left over, and asyncio has had nothing to complain about."""
    complaints: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        await main
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(watched())
    assert complaints == []


@pytest.fixture
def writer() -> RecordingWriter:
    return RecordingWriter()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FilePayloadStore]:
    yield FilePayloadStore(tmp_path)
    descriptors = {path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}
    assert not [path for path in descriptors if path.is_relative_to(tmp_path)], "left open"


@pytest.mark.parametrize("piece_bytes", [100_000, 64 << 10, 1 << 20, 999])
def test_a_body_arrives_whole_hashed_and_durable(store: FilePayloadStore, piece_bytes: int) -> None:
    hasher = hashlib.sha256()
    flushed_to: list[int] = []

    async def main() -> None:
        with store.writer(NAME) as writer:
            received_bytes = await receive(
                pieces_of(CONTENT, piece_bytes),
                writer,
                hasher=hasher,
                flush_every_bytes=1_000_000,
                on_flushed=flushed_to.append,
            )
        assert received_bytes == len(CONTENT)

    run(main())

    store.seal(NAME, len(CONTENT))
    assert store.read(NAME, 0, len(CONTENT)) == CONTENT
    assert hasher.digest() == hashlib.sha256(CONTENT).digest()
    assert flushed_to == sorted(flushed_to)
    assert flushed_to[-1] == len(CONTENT)
    steps = [end - start for start, end in pairwise([0, *flushed_to[:-1]])]
    assert all(1_000_000 <= step < 1_000_000 + piece_bytes for step in steps)


def test_a_body_may_start_anywhere_in_the_payload(store: FilePayloadStore) -> None:
    flushed_to: list[int] = []

    async def main() -> None:
        with store.writer(NAME) as writer:
            await receive(pieces_of(CONTENT[:300]), writer)
            await receive(pieces_of(CONTENT[300:]), writer, offset=300, on_flushed=flushed_to.append)

    run(main())

    store.seal(NAME, len(CONTENT))
    assert store.read(NAME, 0, len(CONTENT)) == CONTENT
    assert flushed_to == [len(CONTENT)]


def test_an_empty_body_is_flushed_too(writer: RecordingWriter) -> None:
    flushed_to: list[int] = []

    async def main() -> None:
        assert await receive(pieces_of(b""), writer, offset=7, on_flushed=flushed_to.append) == 0

    run(main())

    assert flushed_to == [7]


def test_a_body_of_exactly_the_limit_is_accepted_and_one_byte_more_is_not(writer: RecordingWriter) -> None:
    async def main() -> None:
        assert await receive(pieces_of(CONTENT[:1000], 100), RecordingWriter(), limit_bytes=1000) == 1000
        with pytest.raises(TooLarge):
            await receive(pieces_of(CONTENT[:1001], 100), writer, limit_bytes=1000)

    run(main())

    assert writer.written == CONTENT[:1000]
    assert writer.flushed_bytes == 1000


def test_what_came_before_a_disconnect_is_durable(writer: RecordingWriter) -> None:
    flushed_to: list[int] = []

    async def main() -> None:
        with pytest.raises(Disconnected):
            await receive(broken_off(CONTENT, 1_234_567), writer, on_flushed=flushed_to.append)

    run(main())

    assert writer.written == CONTENT[:1_234_567]
    assert flushed_to == [1_234_567]


def test_what_came_before_a_cancellation_is_durable(writer: RecordingWriter) -> None:
    async def main() -> None:
        reached = asyncio.Event()
        receiving = asyncio.create_task(receive(stalled(CONTENT, 1_234_567, reached), writer))
        await reached.wait()

        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        assert writer.flushed_bytes == 1_234_567

    run(main())


def test_a_scope_that_cancels_again_and_again_gets_the_same_promise(writer: RecordingWriter) -> None:
    async def main() -> None:
        reached = asyncio.Event()
        with anyio.CancelScope() as scope:
            writer.may_write.clear()
            asyncio.get_running_loop().call_later(0.02, scope.cancel)
            asyncio.get_running_loop().call_later(0.05, writer.may_write.set)
            await receive(stalled(CONTENT, 1_234_567, reached), writer)
        assert scope.cancelled_caught
        assert writer.flushed_bytes == len(writer.written) > 0

    run(main())


def test_a_cancelled_receive_ends_only_when_its_thread_has(writer: RecordingWriter) -> None:
    async def main() -> None:
        writer.may_write.clear()
        receiving = asyncio.create_task(receive(pieces_of(CONTENT), writer))
        await asyncio.sleep(0.02)
        receiving.cancel()
        await asyncio.sleep(0.02)
        assert not receiving.done()

        writer.may_write.set()
        with pytest.raises(asyncio.CancelledError):
            await receiving

    run(main())


@pytest.mark.parametrize("fails_at", [1, 2_000_000, len(CONTENT) - 1])
def test_a_writer_that_fails_ends_the_receive_with_its_error(fails_at: int) -> None:
    writer = RecordingWriter(fails_at=fails_at)
    taken_bytes = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken_bytes
        async for piece in pieces_of(CONTENT):
            taken_bytes += len(piece)
            yield piece

    async def main() -> None:
        with pytest.raises(PayloadStoreFull):
            await receive(body(), writer)

    run(main())

    assert writer.flushed_bytes == 0
    assert taken_bytes < fails_at + 3_000_000


def test_an_error_of_on_flushed_ends_the_receive(writer: RecordingWriter) -> None:
    def refuse(_: int) -> None:
        raise Disconnected

    async def main() -> None:
        with pytest.raises(Disconnected):
            await receive(pieces_of(CONTENT), writer, flush_every_bytes=1000, on_flushed=refuse)

    run(main())

    assert len(writer.written) < len(CONTENT)


@pytest.mark.parametrize("piece_bytes", [1000, 64 << 10, 1 << 20])
def test_a_slow_disk_slows_the_body_down_and_not_the_loop(writer: RecordingWriter, piece_bytes: int) -> None:
    taken_bytes = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken_bytes
        while True:
            taken_bytes += piece_bytes
            yield bytes(piece_bytes)
            await asyncio.sleep(0)

    async def main() -> None:
        writer.may_write.clear()
        receiving = asyncio.create_task(receive(body(), writer))
        for _ in range(3000):
            await asyncio.sleep(0)
        assert taken_bytes <= (2 << 20) + 2 * piece_bytes

        writer.may_write.set()
        await until(lambda: len(writer.written) > 2_000_000)
        receiving.cancel()
        await asyncio.wait([receiving])

    run(main())


def test_a_transfer_that_waits_for_its_peer_holds_no_thread() -> None:
    writers = [RecordingWriter() for _ in range(20)]

    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            reached = [asyncio.Event() for _ in writers]
            receiving = [
                asyncio.create_task(receive(stalled(CONTENT, 600_000, event), writer, executor=executor))
                for writer, event in zip(writers, reached, strict=True)
            ]
            for event in reached:
                await event.wait()
            for task in receiving:
                task.cancel()
            await asyncio.wait(receiving)

    run(main())

    assert [writer.flushed_bytes for writer in writers] == [600_000] * 20


def sealed(store: FilePayloadStore) -> FilePayloadStore:
    with store.writer(NAME) as writer:
        writer.write(0, CONTENT)
        writer.flush()
    store.seal(NAME, len(CONTENT))
    return store


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, len(CONTENT)), (17, 18), (SEND_PIECE_BYTES - 1, 3 * SEND_PIECE_BYTES + 1), (9, 9), (5, 1 << 40)],
)
def test_a_range_is_sent_in_pieces(store: FilePayloadStore, start: int, end: int) -> None:
    async def main() -> None:
        pieces = [piece async for piece in send_range(sealed(store), NAME, start, end)]
        assert b"".join(pieces) == CONTENT[start:end]
        assert all(0 < len(piece) <= SEND_PIECE_BYTES for piece in pieces)

    run(main())


@pytest.mark.parametrize(("taking_seconds", "largest_bytes"), [(0.01, SEND_PIECE_BYTES), (1.0, SLOW_PIECE_BYTES)])
def test_only_who_takes_them_quickly_gets_large_pieces(
    store: FilePayloadStore, monkeypatch: pytest.MonkeyPatch, taking_seconds: float, largest_bytes: int
) -> None:
    now = 0.0
    monkeypatch.setattr("common.runtime.intake.monotonic", lambda: now)

    async def main() -> None:
        nonlocal now
        sizes = []
        async for piece in send_range(sealed(store), NAME, 0, len(CONTENT)):
            sizes.append(len(piece))
            now += taking_seconds
        assert sizes[0] == SLOW_PIECE_BYTES
        assert max(sizes) == largest_bytes

    run(main())


def test_a_range_of_a_missing_payload_fails_at_its_first_piece(store: FilePayloadStore) -> None:
    async def main() -> None:
        with pytest.raises(PayloadMissing):
            await anext(send_range(store, NAME, 0, 1))

    run(main())


def test_a_client_that_goes_away_lets_go_of_the_payload(store: FilePayloadStore) -> None:
    async def main() -> None:
        sending = send_range(sealed(store), NAME, 0, len(CONTENT))
        await anext(sending)
        await sending.aclose()

    run(main())


class HesitantStore(MemoryPayloadStore):
    """Opens and reads a step at a time, as it is allowed to, and knows who has something open."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed_steps = threading.Semaphore(0)
        self.begun_steps = 0
        self.open_readers = 0

    def step(self) -> None:
        self.begun_steps += 1
        assert self.allowed_steps.acquire(timeout=10)

    def open(self, name: str) -> Any:
        self.step()
        self.open_readers += 1
        return HesitantReader(self, super().open(name))


class HesitantReader:
    def __init__(self, store: HesitantStore, reader: PayloadReader) -> None:
        self.store = store
        self.reader = reader
        self.size_bytes = reader.size_bytes
        self.is_reading = False

    def read(self, start: int, end: int) -> bytes:
        self.is_reading = True
        self.store.step()
        self.is_reading = False
        return self.reader.read(start, end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert not self.is_reading
        self.store.open_readers -= 1


@pytest.mark.parametrize("step", [1, 2], ids=["opening", "reading"])
def test_a_cancellation_while_a_thread_works_closes_the_payload_after_it(step: int) -> None:
    store = HesitantStore()
    with store.writer(NAME) as writer:
        writer.write(0, CONTENT)
        writer.flush()
    store.seal(NAME, len(CONTENT))

    async def consume() -> None:
        async for _ in send_range(store, NAME, 0, len(CONTENT)):
            pass

    async def main() -> None:
        consuming = asyncio.create_task(consume())
        for _ in range(1, step):
            store.allowed_steps.release()
        await until(lambda: store.begun_steps == step)

        consuming.cancel()
        await asyncio.sleep(0.02)
        assert not consuming.done()
        store.allowed_steps.release()
        await asyncio.wait([consuming])

        assert consuming.cancelled()
        assert store.open_readers == 0

    run(main())
