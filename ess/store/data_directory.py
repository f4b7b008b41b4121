"""The directory in which applications exchange files with the node, and nothing outside of it.

Every step is taken from an open descriptor and follows no symbolic link, so that neither a name nor a link swapped in
at the wrong moment leads anywhere else. The directory itself is the operator's to name, links included.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from common.domain.data_uris import path_of
from common.domain.errors import InvalidRequest, SyncError
from common.sync.payloads import Piece

_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

#: What a walk ends with when a name is missing, is no directory, or is a link.
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


class DataFileRefused(SyncError):
    """The file cannot be written."""


class DataDirectory:
    """Files below `root`, named by URI. Writers of one file exclude each other; readers see it whole, before or after."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def open(self, uri: str) -> Iterator[OpenFile]:
        """A file to read. Raises InvalidRequest unless it is a regular file below the directory."""
        refusal = InvalidRequest(f"sourceDataUri does not name a file below {self._root}.")
        names = self._below(path_of(uri, "sourceDataUri"))
        if names is None:
            raise refusal
        try:
            with self._directory_of(names, create=False) as directory:
                # A FIFO would keep an open without O_NONBLOCK waiting for its writer.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(names[-1], flags, dir_fd=directory)
        except OSError as error:
            raise refusal from error
        with OpenFile(descriptor) as file:
            if not file.is_regular:
                raise refusal
            yield file

    def check_writable(self, uri: str) -> None:
        """Raises DataFileRefused when `uri` does not name a file below the directory."""
        self._writable(uri)

    def replace(self, uri: str, pieces: Iterable[Piece]) -> None:
        """Write a file, whole and durable or not at all; directories on the way are created.

        Raises DataFileRefused when it may not or cannot be written, and what `pieces` raises.
        """
        names = self._writable(uri)
        with _refused_as_such(), self._directory_of(names, create=True) as directory:
            _check_replaceable(names[-1], directory)
            temporary = _temporary_name(names[-1])
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
            try:
                _write_new(temporary, directory, pieces)
                os.rename(temporary, names[-1], src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=directory)
                raise
            os.fsync(directory)

    def remove(self, uri: str) -> None:
        """The file `replace` wrote goes, with what an interrupted one left. Raises DataFileRefused."""
        names = self._writable(uri)
        try:
            with self._directory_of(names, create=False) as directory:
                for name in (names[-1], _temporary_name(names[-1])):
                    with suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=directory)
                os.fsync(directory)
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise DataFileRefused(f"The file of destinationDataUri cannot be removed: {error.strerror}.") from error

    def _below(self, path: tuple[str, ...]) -> tuple[str, ...] | None:
        """The part of `path` below the root; None when it is not below it."""
        root = self._root.parts[1:]
        return path[len(root) :] if path[: len(root)] == root and len(path) > len(root) else None

    def _writable(self, uri: str) -> tuple[str, ...]:
        try:
            names = self._below(path_of(uri, "destinationDataUri"))
        except InvalidRequest as error:
            raise DataFileRefused(str(error)) from error
        if names is None:
            raise DataFileRefused("destinationDataUri lies outside of the directory this node keeps for such files.")
        return names

    @contextmanager
    def _directory_of(self, names: tuple[str, ...], *, create: bool) -> Iterator[int]:
        """The directory of the last of `names`, open. Raises OSError."""
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in names[:-1]:
                if create:
                    _make_directory(name, descriptor)
                below = os.open(name, _DIRECTORY, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)


class OpenFile:
    """The `SourceFile` of an open descriptor, which it closes in the end, once no thread reads from it any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._opened = os.fstat(descriptor)
        # A descriptor closed under a reader may be somebody else's by the time it is read.
        self._reading = threading.Lock()

    @property
    def is_regular(self) -> bool:
        return stat.S_ISREG(self._opened.st_mode)

    @property
    def size_bytes(self) -> int:
        return self._opened.st_size

    def read(self, count: int) -> bytes:
        try:
            with self._reading:
                piece = os.read(self._descriptor, count)
                now = os.fstat(self._descriptor)
        except OSError as error:
            raise InvalidRequest(f"The file of sourceDataUri cannot be read: {error.strerror}.") from error
        if (now.st_size, now.st_mtime_ns) != (self._opened.st_size, self._opened.st_mtime_ns):
            raise InvalidRequest("The file of sourceDataUri changed while it was read.")
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._reading:
            os.close(self._descriptor)
            self._descriptor = -1


@contextmanager
def _refused_as_such() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataFileRefused(f"The file of destinationDataUri cannot be written: {error.strerror}.") from error


def _check_replaceable(name: str, directory: int) -> None:
    try:
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise DataFileRefused("destinationDataUri names something that is not a regular file.")


def _write_new(name: str, directory: int, pieces: Iterable[Piece]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, _FILE_MODE, dir_fd=directory)
    try:
        for piece in pieces:
            rest = memoryview(piece).cast("B")
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_directory(name: str, parent: int) -> None:
    try:
        os.mkdir(name, _DIRECTORY_MODE, dir_fd=parent)
    except FileExistsError:
        return
    os.fsync(parent)


def _temporary_name(name: str) -> str:
    """Of a length that fits whatever the length of `name`, and the same again after a crash."""
    return f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}.part"
