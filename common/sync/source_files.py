"""Files beside a node that applications publish by naming them (`sourceDataUri`): the port."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class SourceFile(Protocol):
    """One regular file, held open. One thread at a time."""

    @property
    def size_bytes(self) -> int:
        """As of when it was opened."""
        ...

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end. Raises InvalidRequest when the file changed since it was opened."""
        ...


class SourceFiles(Protocol):
    """The files that may be published. Any number of threads."""

    def open(self, uri: str) -> AbstractContextManager[SourceFile]:
        """Raises InvalidRequest when `uri` does not name a regular file among them, whatever else is there."""
        ...
