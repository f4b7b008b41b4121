"""The intake of `intake.receive` for worker threads: the network is read here while one other thread hashes and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future

from common.runtime.intake import FLUSH_EVERY_BYTES, Absorber, Hasher
from common.sync.payloads import PayloadWriter

_BATCH_BYTES = 1 << 20


def receive_blocking(
    pieces: Iterable[bytes],
    writer: PayloadWriter,
    executor: Executor,
    *,
    offset: int,
    hasher: Hasher | None,
    on_flushed: Callable[[int], None] | None,
    flush_every_bytes: int = FLUSH_EVERY_BYTES,
) -> int:
    """Write `pieces` from `offset` on; return how many bytes they had, all of them durable by then.

    One batch is written by `executor` while the next one is read, never more. What came before an error of `pieces` is
    durable all the same. Raises what `pieces`, `writer` and `on_flushed` raise.
    """
    absorber = Absorber(writer, offset, hasher, flush_every_bytes, on_flushed)
    batch: list[bytes] = []
    batch_bytes = received_bytes = 0
    absorbing: Future[None] | None = None
    try:
        for piece in pieces:
            batch.append(piece)
            batch_bytes += len(piece)
            if batch_bytes >= _BATCH_BYTES:
                received_bytes += batch_bytes
                _wait(absorbing)
                absorbing = executor.submit(absorber.absorb, batch)
                batch, batch_bytes = [], 0
    finally:
        _wait(absorbing)
        absorber.finish(batch)
    return received_bytes + batch_bytes


def _wait(absorbing: Future[None] | None) -> None:
    if absorbing is not None:
        absorbing.result()
