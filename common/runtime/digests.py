"""SHA-256 of payloads that arrive in pieces, without reading them twice when the pieces come in order."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import NamedTuple

from common.sync.payloads import PayloadStore

_READ_BYTES = 1 << 20
#: Transfers whose running digest is kept; the least recently used one is re-read if it ever completes.
_MAX_TRANSFERS = 1_000


class Sha256(NamedTuple):
    """A digest and how many bytes from the start it covers."""

    hasher: hashlib._Hash
    position: int


class RunningDigests:
    """Digest states by payload name. Not for two threads at once per name."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, Sha256] = OrderedDict()

    def continue_at(self, name: str, offset: int) -> hashlib._Hash | None:
        """A hasher that has seen `[0, offset)` and takes the next piece; None when those bytes did not pass through here."""
        if offset == 0:
            return hashlib.sha256()
        state = self._states.get(name)
        return state.hasher.copy() if state is not None and state.position == offset else None

    def advance(self, name: str, hasher: hashlib._Hash | None, position: int) -> None:
        """`hasher` has now seen `[0, position)`, and those bytes are durable."""
        if hasher is None:
            return
        self._states[name] = Sha256(hasher, position)
        self._states.move_to_end(name)
        if len(self._states) > _MAX_TRANSFERS:
            self._states.popitem(last=False)

    def finish(self, store: PayloadStore, name: str, size: int) -> str:
        """The digest of the staged bytes `[0, size)` in hex, reading only what did not pass through here. Blocks.

        Raises PayloadMissing when some of them are not there.
        """
        state = self._states.pop(name, None)
        if state is None or state.position > size:
            state = Sha256(hashlib.sha256(), 0)
        for start in range(state.position, size, _READ_BYTES):
            end = min(start + _READ_BYTES, size)
            piece = store.read_staged(name, start, end)
            if len(piece) < end - start:
                piece = store.read(name, start, end)  # sealed already: a crash came between the seal and its record
            state.hasher.update(piece)
        return state.hasher.hexdigest()

    def forget(self, name: str) -> None:
        self._states.pop(name, None)
