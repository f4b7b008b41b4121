"""A payload store that forgets: the double for tests whose subject is not storage."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from common.sync.payloads import (
    PayloadIncomplete,
    PayloadMissing,
    PayloadSealed,
    Piece,
    StoredPayload,
    check_name,
    check_range,
)


class MemoryPayloadStore:
    """The `PayloadStore` in memory. What a writer has not flushed is invisible to everybody else."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._staged: dict[str, bytearray] = {}
        self._sealed: dict[str, bytes] = {}
        self._modified_at: dict[str, float] = {}

    def writer(self, name: str) -> _MemoryWriter:
        check_name(name)
        with self._lock:
            if name in self._sealed:
                raise PayloadSealed
            self._staged.setdefault(name, bytearray())
            self._modified_at[name] = self._clock()
        return _MemoryWriter(self, name)

    def seal(self, name: str, size_bytes: int) -> None:
        check_name(name)
        check_range(0, size_bytes)
        with self._lock:
            if name in self._sealed:
                if len(self._sealed[name]) != size_bytes:
                    raise PayloadSealed
                return
            staged = self._staged.get(name, bytearray())
            if len(staged) < size_bytes:
                raise PayloadIncomplete
            self._sealed[name] = bytes(staged[:size_bytes])
            self._staged.pop(name, None)
            self._modified_at[name] = self._clock()

    def read_staged(self, name: str, start: int, end: int) -> bytes:
        check_name(name)
        check_range(start, end)
        with self._lock:
            return bytes(self._staged.get(name, b"")[start:end])

    def open(self, name: str) -> _MemoryReader:
        check_name(name)
        with self._lock:
            if name not in self._sealed:
                raise PayloadMissing
            return _MemoryReader(self._sealed[name])

    def read(self, name: str, start: int, end: int) -> bytes:
        return self.open(name).read(start, end)

    def size(self, name: str) -> int:
        return self.open(name).size_bytes

    def delete(self, name: str) -> None:
        check_name(name)
        with self._lock:
            self._staged.pop(name, None)
            self._sealed.pop(name, None)

    def names(self) -> Iterator[StoredPayload]:
        with self._lock:
            stored = [(name, False) for name in self._staged] + [(name, True) for name in self._sealed]
            yield from [StoredPayload(name, sealed, self._modified_at[name]) for name, sealed in stored]

    def _write(self, name: str, pieces: list[tuple[int, bytes]]) -> None:
        with self._lock:
            if name not in self._staged:
                raise PayloadSealed if name in self._sealed else PayloadMissing
            staged = self._staged[name]
            for offset, piece in pieces:
                staged.extend(bytes(max(0, offset - len(staged))))
                staged[offset : offset + len(piece)] = piece
            self._modified_at[name] = self._clock()


class _MemoryWriter:
    def __init__(self, store: MemoryPayloadStore, name: str) -> None:
        self._store = store
        self._name = name
        self._unflushed: list[tuple[int, bytes]] = []
        self._is_usable = True

    def write(self, offset: int, piece: Piece) -> None:
        if offset < 0:
            raise ValueError(f"not an offset: {offset}")
        self._check_usable()
        if len(piece):
            self._unflushed.append((offset, bytes(piece)))

    def flush(self) -> None:
        self._check_usable()
        if self._unflushed:
            self._is_usable = False
            self._store._write(self._name, self._unflushed)
            self._unflushed.clear()
            self._is_usable = True

    def close(self) -> None:
        self._is_usable = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_usable(self) -> None:
        if not self._is_usable:
            raise ValueError("write to a payload writer that is closed or has failed")


class _MemoryReader:
    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def size_bytes(self) -> int:
        return len(self._content)

    def read(self, start: int, end: int) -> bytes:
        check_range(start, end)
        return self._content[start:end]

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
