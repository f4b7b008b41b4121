"""Payloads that are not kept anywhere: any range of them can be made again, and every version differs everywhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Content:
    """`size_bytes` bytes determined by `name` and `version`; no two versions have an equal byte run to speak of."""

    name: str
    version: int
    size_bytes: int

    def read(self, start: int, end: int) -> bytes:
        """The bytes `[start, end)`."""
        first = start // _BLOCK_BYTES
        blocks = b"".join(self._block(number) for number in range(first, -(-end // _BLOCK_BYTES)))
        return blocks[start - first * _BLOCK_BYTES : end - first * _BLOCK_BYTES]

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hex."""
        digest = hashlib.sha256()
        for start in range(0, self.size_bytes, _BLOCK_BYTES):
            digest.update(self.read(start, min(start + _BLOCK_BYTES, self.size_bytes)))
        return digest.hexdigest()

    def _block(self, number: int) -> bytes:
        # A short unit repeated is quick to make, and still tells every block of every version from every other.
        seed = f"{self.name}\0{self.version}\0{number}".encode()
        return hashlib.shake_128(seed).digest(1 << 12) * (_BLOCK_BYTES >> 12)
