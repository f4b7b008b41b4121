"""Payloads as files: one file per payload, in a tree that nobody else writes to.

    root/staging/{name}             staged
    root/{first 2 digits}/{name}    sealed

Renaming the first to the second *is* the seal, so a crash leaves one of the two and `seal` can always be repeated.
What keeps open writers off a sealed file: they write under a shared lock, and only while the staged name still leads
to their file; the seal holds the lock alone. Locks and names are the kernel's, so this holds between processes and a
killed process leaves nothing behind.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from common.sync.payloads import (
    PayloadIncomplete,
    PayloadMissing,
    PayloadSealed,
    PayloadStoreFull,
    PayloadStoreUnavailable,
    Piece,
    StoredPayload,
    check_name,
    check_range,
)

_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600
_FANOUT_DIGITS = 2


class FilePayloadStore:
    """The `PayloadStore` of one machine. Its readers keep reading what is deleted under them."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which is created with mode 0700 when missing. Raises OSError when that cannot be done."""
        self._root = root
        self._staging = root / "staging"
        self._durable_fanouts: set[str] = set()
        self._fanout_lock = threading.Lock()
        _make_directory(root)
        _make_directory(self._staging)

    def writer(self, name: str) -> _FileWriter:
        staged, sealed = self._paths(name)
        with _errors_translated():
            descriptor = os.open(staged, os.O_RDWR | os.O_CREAT, _FILE_MODE)
            try:
                if sealed.exists():
                    staged.unlink(missing_ok=True)
                    raise PayloadSealed
                # An empty file may be one whose directory entry a crash has kept from the disk.
                if os.fstat(descriptor).st_size == 0:
                    _sync_directory(self._staging)
            except BaseException:
                os.close(descriptor)
                raise
        return _FileWriter(descriptor, staged, sealed)

    def seal(self, name: str, size_bytes: int) -> None:
        staged, sealed = self._paths(name)
        check_range(0, size_bytes)
        with _errors_translated():
            while not (self._is_sealed(sealed, size_bytes) or self._seal_staged(staged, sealed, size_bytes)):
                pass  # somebody else's seal or deletion came between the two questions

    def read_staged(self, name: str, start: int, end: int) -> bytes:
        staged, _ = self._paths(name)
        try:
            with _opened(staged) as reader:
                return reader.read(start, end)
        except PayloadMissing:
            return b""

    def open(self, name: str) -> _FileReader:
        _, sealed = self._paths(name)
        return _opened(sealed)

    def read(self, name: str, start: int, end: int) -> bytes:
        with self.open(name) as reader:
            return reader.read(start, end)

    def size(self, name: str) -> int:
        with self.open(name) as reader:
            return reader.size_bytes

    def path(self, name: str) -> Path | None:
        _, sealed = self._paths(name)
        return sealed if sealed.exists() else None

    def delete(self, name: str) -> None:
        with _errors_translated():
            for path in self._paths(name):
                path.unlink(missing_ok=True)

    def names(self) -> Iterator[StoredPayload]:
        with _errors_translated(), os.scandir(self._root) as directories:
            for directory in directories:
                yield from _stored_in(Path(directory.path), sealed=directory.name != self._staging.name)

    def _paths(self, name: str) -> tuple[Path, Path]:
        check_name(name)
        return self._staging / name, self._root / name[:_FANOUT_DIGITS] / name

    def _is_sealed(self, sealed: Path, size_bytes: int) -> bool:
        try:
            sealed_bytes = sealed.stat().st_size
        except FileNotFoundError:
            return False
        if sealed_bytes != size_bytes:
            raise PayloadSealed
        # The one who renamed it may have crashed before this, and its rename be known to the page cache only.
        self._make_fanout(sealed.parent)
        _sync_directory(sealed.parent)
        return True

    def _seal_staged(self, staged: Path, sealed: Path, size_bytes: int) -> bool:
        """Returns whether it was this call that sealed."""
        create = os.O_CREAT if size_bytes == 0 else 0
        try:
            descriptor = os.open(staged, os.O_RDWR | create, _FILE_MODE)
        except FileNotFoundError:
            if sealed.exists():
                return False
            raise PayloadIncomplete from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _leads_to(staged, descriptor) or sealed.exists():
                return False
            staged_bytes = os.fstat(descriptor).st_size
            if staged_bytes < size_bytes:
                raise PayloadIncomplete
            if staged_bytes > size_bytes:
                os.ftruncate(descriptor, size_bytes)
            os.fsync(descriptor)
            self._make_fanout(sealed.parent)
            staged.rename(sealed)
            _sync_directory(sealed.parent)
            return True
        finally:
            os.close(descriptor)

    def _make_fanout(self, fanout: Path) -> None:
        # Made durable once per process, whoever made it: another one may have been killed between mkdir and fsync.
        with self._fanout_lock:
            if fanout.name not in self._durable_fanouts:
                _make_directory(fanout)
                self._durable_fanouts.add(fanout.name)


class _FileWriter:
    def __init__(self, descriptor: int, staged: Path, sealed: Path) -> None:
        self._descriptor = descriptor
        self._staged = staged
        self._sealed = sealed
        self._is_broken = False

    def write(self, offset: int, piece: Piece) -> None:
        if offset < 0:
            raise ValueError(f"not an offset: {offset}")
        with self._usable(), self._still_staged():
            rest = memoryview(piece).cast("B")
            while rest:
                written_bytes = os.pwrite(self._descriptor, rest, offset)
                offset += written_bytes
                rest = rest[written_bytes:]

    def flush(self) -> None:
        with self._usable():
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _usable(self) -> Iterator[None]:
        if self._is_broken or self._descriptor < 0:
            raise ValueError("write to a payload writer that is closed or has failed")
        # The kernel reports a lost page once and then calls it clean: a later flush would succeed and prove nothing.
        self._is_broken = True
        with _errors_translated():
            yield
        self._is_broken = False

    @contextmanager
    def _still_staged(self) -> Iterator[None]:
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)
        try:
            if not _leads_to(self._staged, self._descriptor):
                raise PayloadSealed if self._sealed.exists() else PayloadMissing
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


class _FileReader:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size_bytes = os.fstat(descriptor).st_size

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def read(self, start: int, end: int) -> bytes:
        check_range(start, end)
        end = min(end, self._size_bytes)
        pieces = []
        with _errors_translated():
            while start < end and (piece := os.pread(self._descriptor, end - start, start)):
                pieces.append(piece)
                start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _opened(path: Path) -> _FileReader:
    with _errors_translated():
        try:
            return _FileReader(os.open(path, os.O_RDONLY))
        except FileNotFoundError:
            raise PayloadMissing from None


def _stored_in(directory: Path, *, sealed: bool) -> Iterator[StoredPayload]:
    with suppress(NotADirectoryError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError, ValueError):
                yield StoredPayload(check_name(entry.name), sealed, entry.stat().st_mtime)


def _leads_to(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _make_directory(path: Path) -> None:
    if not path.parent.is_dir():
        _make_directory(path.parent)
    path.mkdir(_DIRECTORY_MODE, exist_ok=True)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # EFBIG: the file may not grow, by a limit of the process or of the file system.
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise PayloadStoreFull from error
        raise PayloadStoreUnavailable from error
