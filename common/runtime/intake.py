"""Bytes of payloads between the event loop and a payload store: in and out, in pieces, with flat memory.

Coming in, the loop gathers pieces while a worker thread hashes, writes and flushes the batch before; when both are full
the loop stops reading, and so does the peer. A transfer that waits for its peer holds no thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from functools import partial
from time import monotonic
from typing import ParamSpec, Protocol, TypeVar

from common.domain.errors import TooLarge
from common.sync.payloads import PayloadStore, PayloadWriter, check_range

#: What lies behind the last flush is sent again after a crash; each flush waits for the disk.
FLUSH_EVERY_BYTES = 8 << 20

SEND_PIECE_BYTES = 1 << 20
#: For whoever does not take a piece quickly, and at first: of every download that waits for its link, two are in memory.
SLOW_PIECE_BYTES = 64 << 10
_QUICK_SECONDS = 0.05

# A hop to a thread costs some 0.15 ms of CPU, half as much as writing 1 MB. A fast peer fills a batch in less time than
# this, and pays for few hops; a slow one should not have its bytes wait in memory.
_BATCH_BYTES = 1 << 20
_BATCH_PIECES = 1024
_BATCH_SECONDS = 0.05

T = TypeVar("T")
P = ParamSpec("P")


class Hasher(Protocol):
    """What the constructors of `hashlib` return."""

    def update(self, piece: bytes, /) -> None: ...


async def receive(
    body: AsyncIterator[bytes],
    writer: PayloadWriter,
    *,
    offset: int = 0,
    limit_bytes: int | None = None,
    hasher: Hasher | None = None,
    flush_every_bytes: int = FLUSH_EVERY_BYTES,
    on_flushed: Callable[[int], None] | None = None,
    executor: Executor | None = None,
) -> int:
    """Write `body` from `offset` on; return how many bytes it had, all of them durable by then.

    `on_flushed(position)` is called in the worker thread after each durable flush: `[offset, position)` is safe.
    Raises TooLarge when `body` exceeds `limit_bytes`, with nothing written beyond; passes on what `body`, the writer and
    `on_flushed` raise. If it is not the writing that failed, what had come before is durable all the same, also when
    the task is cancelled. Whichever way this ends, no thread touches the arguments any more.
    `executor` (by default the event loop's) runs the worker's turns, at most one at a time for each call.
    """
    absorber = Absorber(writer, offset, hasher, flush_every_bytes, on_flushed)
    lane = _Lane(executor)
    batch: list[bytes] = []
    batch_bytes = received_bytes = 0
    clock = asyncio.get_running_loop().time
    due_at = clock() + _BATCH_SECONDS
    try:
        async for piece in body:
            if limit_bytes is not None and received_bytes + len(piece) > limit_bytes:
                raise TooLarge
            received_bytes += len(piece)
            batch_bytes += len(piece)
            batch.append(piece)
            if batch_bytes >= _BATCH_BYTES or len(batch) >= _BATCH_PIECES or clock() >= due_at:
                await lane.start(absorber.absorb, batch)
                batch, batch_bytes, due_at = [], 0, clock() + _BATCH_SECONDS
    finally:
        await _to_its_end(asyncio.ensure_future(lane.run(absorber.finish, batch)))
    return received_bytes


async def send_range(
    store: PayloadStore, name: str, start: int, end: int, *, executor: Executor | None = None
) -> AsyncGenerator[bytes, None]:
    """The bytes `[start, end)` of a sealed payload, clipped at its end, in pieces of up to 1 MiB read in worker threads.

    Raises what the store raises; `PayloadMissing` comes with the first piece, or later when the payload is deleted from
    a store that cannot keep it. The payload is let go of when the generator ends, is closed, or its task is cancelled.
    """
    check_range(start, end)
    lane = _Lane(executor)
    with ExitStack() as resources:
        # Entered in the thread: a cancellation meanwhile finds the reader where it will be closed.
        reader = await lane.run(lambda: resources.enter_context(store.open(name)))
        end = min(end, reader.size_bytes)
        position, piece_bytes = start, SLOW_PIECE_BYTES
        while position < end:
            # Up to a multiple of its size: stores that keep rows of as much as the largest piece read one for each.
            until = min(position - position % piece_bytes + piece_bytes, end)
            piece = await lane.run(reader.read, position, until)
            given_at, position = monotonic(), until
            yield piece
            is_quick = monotonic() - given_at < _QUICK_SECONDS
            piece_bytes = min(2 * piece_bytes, SEND_PIECE_BYTES) if is_quick else SLOW_PIECE_BYTES


class Absorber:
    """The worker's side of one transfer."""

    def __init__(
        self,
        writer: PayloadWriter,
        offset: int,
        hasher: Hasher | None,
        flush_every_bytes: int,
        on_flushed: Callable[[int], None] | None,
    ) -> None:
        self._writer = writer
        self._hasher = hasher
        self._flush_every_bytes = flush_every_bytes
        self._on_flushed = on_flushed
        self._position = self._flushed_to = offset
        self._has_failed = False

    def absorb(self, batch: list[bytes]) -> None:
        try:
            for piece in batch:
                self._absorb_piece(piece)
        except BaseException:
            self._has_failed = True
            raise

    def finish(self, batch: list[bytes]) -> None:
        """Absorb the last batch and flush; nothing after a failure, which has been reported already."""
        if not self._has_failed:
            self.absorb(batch)
            self._flush()

    def _absorb_piece(self, piece: bytes) -> None:
        if self._hasher is not None:
            self._hasher.update(piece)
        self._writer.write(self._position, piece)
        self._position += len(piece)
        if self._position - self._flushed_to >= self._flush_every_bytes:
            self._flush()

    def _flush(self) -> None:
        self._writer.flush()
        self._flushed_to = self._position
        if self._on_flushed is not None:
            self._on_flushed(self._position)


class _Lane:
    """Runs functions in an executor one after the other: the next is started when the one before has ended."""

    def __init__(self, executor: Executor | None) -> None:
        self._executor = executor
        self._running: asyncio.Future[object] | None = None

    async def start(self, function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Start `function` after the one before, whose error, if it had one, is raised instead."""
        await self._end_of_previous()
        self._running = self._submitted(partial(function, *args, **kwargs))

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As `start`, and wait for what `function` returns or raises."""
        await self._end_of_previous()
        return await _to_its_end(self._submitted(partial(function, *args, **kwargs)))

    async def _end_of_previous(self) -> None:
        if self._running is not None:
            running, self._running = self._running, None
            await _to_its_end(running)

    def _submitted(self, call: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, call)


async def _to_its_end(work: asyncio.Future[T]) -> T:
    """Wait for `work` even when cancelled meanwhile; only then does the cancellation go on.

    A thread cannot be interrupted, and what it uses must not be closed under it.
    """
    cancellation = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        work.exception()  # looked at, or asyncio would report it as forgotten
        raise cancellation
    return work.result()
