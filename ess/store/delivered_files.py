"""Which files this node has written for objects (`destinationDataUri`), or was about to write.

An entry is made durable before its file is touched and goes after the file has gone, so that a crash in between leaves
an entry to look at and never a file that nobody remembers. One small file per entry: they are few, and like the files
they stand for they are not part of the database's transactions (docs/adr/0012).
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import NamedTuple

import msgspec

from common.domain.ids import ObjectKey
from common.sync.payloads import PayloadStoreUnavailable

_SUFFIX = ".json"


class DeliveredFile(NamedTuple):
    uri: str
    #: The object whose data it holds; the last one when several name the same file.
    object: ObjectKey


class DeliveredFiles:
    """The entries; any number of threads of one process. Raises PayloadStoreUnavailable when the disk does not work."""

    def __init__(self, directory: Path) -> None:
        """Use `directory`, which is created with mode 0700 when the first entry is made."""
        self._directory = directory
        self._lock = threading.Lock()
        self._entries: dict[str, DeliveredFile] | None = None

    def remember(self, file: DeliveredFile) -> DeliveredFile | None:
        """Durable on return; the entry of the same URI that it replaces."""
        with self._lock:
            entries = self._loaded()
            before = entries.get(file.uri)
            if before != file:
                self._write(file)
                entries[file.uri] = file
            return before

    def forget(self, uri: str) -> None:
        """The file has gone. A crash may bring the entry back, which does no harm."""
        with self._lock:
            try:
                self._path(uri).unlink(missing_ok=True)
            except OSError as error:
                raise PayloadStoreUnavailable from error
            self._loaded().pop(uri, None)

    def list_all(self) -> list[DeliveredFile]:
        with self._lock:
            return list(self._loaded().values())

    def _loaded(self) -> dict[str, DeliveredFile]:
        if self._entries is None:
            try:
                found = [_decode(path.read_bytes()) for path in self._directory.glob(f"*{_SUFFIX}")]
            except OSError as error:
                raise PayloadStoreUnavailable from error
            self._entries = {file.uri: file for file in found}
        return self._entries

    def _write(self, file: DeliveredFile) -> None:
        path = self._path(file.uri)
        temporary = path.with_suffix(".new")
        try:
            self._directory.mkdir(0o700, parents=True, exist_ok=True)
            with temporary.open("wb") as entry:
                entry.write(msgspec.json.encode([file.uri, *file.object]))
                entry.flush()
                os.fsync(entry.fileno())
            temporary.replace(path)
            for directory in (self._directory, self._directory.parent):
                _sync_directory(directory)
        except OSError as error:
            raise PayloadStoreUnavailable from error

    def _path(self, uri: str) -> Path:
        return self._directory / f"{hashlib.sha256(uri.encode()).hexdigest()}{_SUFFIX}"


def _decode(raw: bytes) -> DeliveredFile:
    uri, *key = msgspec.json.decode(raw, type=tuple[str, str, str, str])
    return DeliveredFile(uri, ObjectKey(*key))


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
