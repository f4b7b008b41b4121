"""One process owns a state directory. A second one would corrupt what the first one relies on being alone with."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_POLL_SECONDS = 0.05


class StateLocked(Exception):
    """Another process uses the state directory."""

    def __init__(self, path: Path, owner: str) -> None:
        holder = f" (process {owner})" if owner else ""
        super().__init__(
            f"{path} is in use by another running service{holder}; stop that one, or use another directory"
        )


class StateLock:
    """Ownership of a database file. The kernel ends it with the process, however that ends."""

    def __init__(self, database_path: Path, *, wait_seconds: float = 0.0) -> None:
        """Raises StateLocked when another process still owns it after `wait_seconds`."""
        self._path = database_path.with_name(database_path.name + ".lock")
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._acquire(database_path, time.monotonic() + wait_seconds)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        except BaseException:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Idempotent. The file stays: removing it would let two owners lock two different files."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _acquire(self, database_path: Path, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    owner = os.pread(self._descriptor, 32, 0).decode(errors="replace")
                    raise StateLocked(database_path, owner) from None
                time.sleep(_POLL_SECONDS)
            else:
                return
