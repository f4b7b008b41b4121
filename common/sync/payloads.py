"""Where the bytes of objects live: the port, what its implementations promise, and its errors.

A payload is *staged* (written in pieces, in any order, resumable after a crash) and then *sealed*: from then on it is
immutable and readable. Nothing about objects, tenants or transfers is known here.

    PayloadError
    ├── PayloadMissing              nothing is sealed under that name
    ├── PayloadIncomplete           fewer bytes are staged than the seal asks for
    ├── PayloadSealed               immutable by now; there is nothing left to write or to seal differently
    ├── PayloadStoreFull            no room; retryable
    └── PayloadStoreUnavailable     the store does not answer; retryable
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeAlias, runtime_checkable

from common.domain.errors import SyncError

#: A contiguous run of bytes, as it came from the network or a file.
Piece: TypeAlias = bytes | bytearray | memoryview

_NAME = re.compile(r"[0-9a-f]{64}")


class PayloadError(SyncError):
    """The payload store could not do what was asked."""


class PayloadMissing(PayloadError):
    """There is no such payload."""


class PayloadIncomplete(PayloadError):
    """Some bytes of the payload have not arrived yet."""


class PayloadSealed(PayloadError):
    """The payload is complete and cannot change any more."""


class PayloadStoreFull(PayloadError):
    """There is no room for more data right now; try again later."""

    retryable = True


class PayloadStoreUnavailable(PayloadError):
    """The data cannot be reached right now; try again later."""

    retryable = True


class StoredPayload(NamedTuple):
    """What garbage collection needs to know. `modified_at` is in seconds since the epoch, by the store's clock."""

    name: str
    sealed: bool
    modified_at: float


class PayloadWriter(Protocol):
    """Access to the staging area of one payload. One thread at a time; closing keeps what was flushed.

    Several writers of one payload may be open, in any process: what one of them flushed, another one leaves as it is
    unless it writes those very positions. Once the payload is sealed or deleted a write, or the flush after it, fails
    (`PayloadSealed`, `PayloadMissing`), so nothing can slip into a payload behind its verification.
    After an error of `write` or `flush` the writer is of no more use: open another one and repeat what was not flushed.
    """

    def write(self, offset: int, piece: Piece) -> None:
        """Stage `piece` at byte `offset`: visible to nobody, durable only after `flush`."""

    def flush(self) -> None:
        """Everything written so far would survive power loss on return."""

    def close(self) -> None:
        """Let go of the staging area; what was not flushed may be lost. Idempotent."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class PayloadReader(Protocol):
    """One sealed payload, held open. One thread at a time."""

    @property
    def size_bytes(self) -> int: ...

    def read(self, start: int, end: int) -> bytes:
        """The bytes `[start, end)`, clipped at the end. May raise `PayloadMissing` when deleted in the meantime."""

    def close(self) -> None:
        """Idempotent."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class PayloadStore(Protocol):
    """Bytes of objects by payload name: 64 lower-case hex digits, chosen by the caller, never reused for other content.

    Any number of threads. A malformed name, a negative offset or a range that ends before it starts is a ValueError.
    Every method may raise the retryable errors. The caller keeps track of which ranges it has staged: bytes that were
    never written, but lie below others that were, may be taken for zeros.
    """

    def writer(self, name: str) -> PayloadWriter:
        """Open the staging area, which is created when there is none. `PayloadSealed` when it is too late."""

    def seal(self, name: str, size_bytes: int) -> None:
        """Make the flushed bytes `[0, size_bytes)` the payload, atomically and durably; surplus bytes are cut off.

        Can be repeated, also after a crash at any point: sealed already with that size is a success.
        Raises `PayloadIncomplete` (nothing changed), or `PayloadSealed` when sealed with another size.
        """

    def read_staged(self, name: str, start: int, end: int) -> bytes:
        """Flushed bytes `[start, end)` before the seal, to hash them again; fewer where staged bytes are missing."""

    def open(self, name: str) -> PayloadReader:
        """Hold a sealed payload open, to read it in pieces. Raises `PayloadMissing`."""

    def read(self, name: str, start: int, end: int) -> bytes:
        """The bytes `[start, end)` of a sealed payload, clipped at its end. Raises `PayloadMissing`."""

    def size(self, name: str) -> int:
        """Size in bytes of a sealed payload. Raises `PayloadMissing`."""

    def delete(self, name: str) -> None:
        """Remove what is staged and sealed under that name. Idempotent."""

    def names(self) -> Iterator[StoredPayload]:
        """Everything stored, in no order, read as it is consumed; what comes or goes meanwhile may be left out."""


@runtime_checkable
class HasPath(Protocol):
    """An ability some stores have: their payloads are files that a server can send by itself."""

    def path(self, name: str) -> Path | None:
        """The file that holds a sealed payload and nothing else; None when there is none."""


def check_name(name: str) -> str:
    """`name`, if it is a payload name; otherwise a ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a payload name: {name[:80]!r}")
    return name


def check_range(start: int, end: int) -> None:
    """A ValueError unless `[start, end)` is a half-open range of bytes."""
    if not 0 <= start <= end:
        raise ValueError(f"not a byte range: {start}..{end}")
