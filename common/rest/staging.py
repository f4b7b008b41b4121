"""Bodies on their way into the payload store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable

from common.domain.errors import InvalidRequest, TooLarge, VerificationFailed
from common.domain.objects import Payload
from common.runtime.digests import RunningDigests
from common.runtime.intake import receive
from common.sync.payloads import PayloadError, PayloadMissing, PayloadStore

_COMPARED_BYTES = 1 << 20


class Staging:
    """Streams bodies into staging areas and seals them, digest included."""

    def __init__(self, store: PayloadStore, digests: RunningDigests, small_bytes: int, limit_bytes: int | None) -> None:
        self.store = store
        self._digests = digests
        self._small_bytes = small_bytes
        self._limit_bytes = limit_bytes

    def check_size(self, size: int | None) -> None:
        """Raises TooLarge for a declared size beyond the limit, before a byte is read."""
        if self._limit_bytes is not None and size is not None and size > self._limit_bytes:
            raise TooLarge(f"The data exceeds the limit of {self._limit_bytes} bytes.")

    async def take_whole(self, body: AsyncIterator[bytes], name: str) -> tuple[Payload, bytes | None]:
        """The whole body as payload `name`: its bytes when they are few, sealed in the store otherwise.

        Raises what the body raises; nothing is left behind then.
        """
        head = bytearray()
        async for piece in body:
            head += piece
            if len(head) > self._small_bytes:
                return await self._spill(bytes(head), body, name), None
        data = bytes(head)
        return Payload(name, len(data), hashlib.sha256(data).hexdigest(), is_small=True), data

    async def take_bytes(self, data: bytes, name: str) -> Payload:
        """Seal bytes that are in memory already."""
        return await self._spill(data, _nothing(), name)

    def is_small_size(self, size: int) -> bool:
        """Do payloads of this size live in the database?"""
        return size <= self._small_bytes

    async def take_piece(
        self,
        body: AsyncIterator[bytes],
        name: str,
        start: int,
        end: int,
        on_flushed: Callable[[int], None] | None = None,
    ) -> None:
        """Stage exactly `[start, end)`; durable on return. Surplus bytes of the body are ignored (wire-protocol 0.1 rule 11).

        Raises InvalidRequest when the body is shorter than the range.
        """
        hasher = self._digests.continue_at(name, start)
        with await asyncio.to_thread(self.store.writer, name) as writer:
            exact = first_bytes(body, end - start)
            taken = await receive(exact, writer, offset=start, hasher=hasher, on_flushed=on_flushed)
        if taken < end - start:
            raise InvalidRequest("The body is shorter than the range it declares.")
        self._digests.advance(name, hasher, end)

    async def digest_of_staged(self, name: str, start: int, end: int) -> str | None:
        """SHA-256 of the staged bytes `[start, end)` in hex; None when they are not all there."""

        def read() -> str | None:
            hasher = hashlib.sha256()
            for at in range(start, end, _COMPARED_BYTES):
                wanted = min(at + _COMPARED_BYTES, end)
                piece = self.store.read_staged(name, at, wanted)
                if len(piece) < wanted - at:
                    return None
                hasher.update(piece)
            return hasher.hexdigest()

        try:
            return await asyncio.to_thread(read)
        except PayloadError:
            return None

    def forget_digest(self, name: str) -> None:
        """Bytes staged under `name` were replaced: what was hashed on their way in counts no more."""
        self._digests.forget(name)

    async def seal(self, name: str, size: int, expected_digest: str | None = None) -> Payload:
        """Make the staged bytes `[0, size)` a payload. Raises VerificationFailed when they are not what was announced."""
        digest = await asyncio.to_thread(self._digests.finish, self.store, name, size)
        verify_digest(digest, expected_digest)
        await asyncio.to_thread(self.store.seal, name, size)
        return Payload(name, size, digest, is_small=False)

    async def has_same_bytes(self, staged: str, sealed: str, start: int, end: int) -> bool:
        """Are the bytes `[start, end)` staged under one name those of the payload with the other?"""

        def compare() -> bool:
            with self.store.open(sealed) as reader:
                return all(
                    self.store.read_staged(staged, at, min(at + _COMPARED_BYTES, end))
                    == reader.read(at, min(at + _COMPARED_BYTES, end))
                    for at in range(start, end, _COMPARED_BYTES)
                )

        try:
            return await asyncio.to_thread(compare)
        except PayloadMissing:
            return False

    async def drop(self, name: str) -> None:
        """Whatever is staged or sealed under `name` is of no use."""
        self._digests.forget(name)
        await asyncio.to_thread(self.store.delete, name)

    async def _spill(self, head: bytes, body: AsyncIterator[bytes], name: str) -> Payload:
        hasher = hashlib.sha256()
        try:
            with await asyncio.to_thread(self.store.writer, name) as writer:
                size = await receive(_chain(head, body), writer, limit_bytes=self._limit_bytes, hasher=hasher)
            await asyncio.to_thread(self.store.seal, name, size)
        except BaseException:
            await asyncio.shield(self.drop(name))
            raise
        return Payload(name, size, hasher.hexdigest(), is_small=False)


def verify_digest(digest: str, expected: str | None) -> None:
    """Raises VerificationFailed; nothing is expected when the sender said no digest."""
    if expected is not None and digest != expected:
        raise VerificationFailed("The data does not have the digest that was announced.")


async def _chain(head: bytes, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for piece in body:
        yield piece


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def first_bytes(body: AsyncIterator[bytes], count: int) -> AsyncIterator[bytes]:
    """The first `count` bytes of a body; the rest is read and dropped."""
    left = count
    async for piece in body:
        if left > 0:
            yield piece[:left]
            left -= len(piece)
