"""Data that comes with a publish: stored, copied from a file where it names one, and judged by its signature.

All of this happens before the transaction that makes it an object's data, which then needs to know the outcome only.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import dataclass

from common.domain.metadata import Metadata
from common.domain.objects import Payload
from common.domain.signing import Verdict, WrongSignature, declaration_of
from common.rest.staging import Staging
from common.runtime.signatures import judge
from common.sync.source_files import SourceFile, SourceFiles

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a publish brought: nothing, `data` small enough for the database, or a sealed `payload`."""

    data: bytes | None = None
    #: SHA-256 of `data` in hex; empty when nobody had to know it yet.
    digest: str = ""
    payload: Payload | None = None
    verdict: Verdict | None = None

    def check(self) -> None:
        """Raises WrongSignature for data that could not become an object's."""
        if self.verdict is not None and not self.verdict.is_genuine:
            raise WrongSignature


class Arrivals:
    """Coroutines; none of them changes an object."""

    def __init__(self, staging: Staging, source_files: SourceFiles | None) -> None:
        """`source_files` is None where no file can be published by its name."""
        self._staging = staging
        self._source_files = source_files

    async def of_publish(self, meta: Metadata, data: bytes | None, new_name: Callable[[], str]) -> Arrival:
        """The data of a PUT object, as a payload of a new name when it is not small.

        Raises InvalidRequest when `sourceDataUri` does not name a readable file, TooLarge.
        """
        if meta.source_data_uri and self._source_files is not None:
            return await self._snapshot(meta, self._source_files, new_name())
        if data is None or meta.no_data:
            return Arrival()
        if self._staging.is_small_size(len(data)):
            return await self._small(meta, data, new_name()) if meta.is_signed else Arrival(data)
        return await self._sealed(meta, await self._staging.take_bytes(data, new_name()))

    async def rehearsed(self, meta: Metadata, data: bytes | None) -> Arrival:
        """What `of_publish` would bring, without storing it. Raises as it does."""
        if meta.source_data_uri and self._source_files is not None:
            file_bytes = await asyncio.to_thread(self._size_of, self._source_files, meta.source_data_uri)
            self._staging.check_size(file_bytes)
            if not meta.carries_data or meta.meta_only:
                return Arrival()
            # The file is not read for this, and so taken for what it is declared to be.
            declaration = declaration_of(meta)
            verdict = Verdict(declaration, is_genuine=True) if declaration else None
            return Arrival(payload=Payload("", file_bytes, "", is_small=False), verdict=verdict)
        if data is None or meta.no_data:
            return Arrival()
        self._staging.check_size(len(data))
        return await self._small(meta, data, "")

    async def judge(self, meta: Metadata, payload: Payload, data: bytes | None) -> Verdict | None:
        """Has the data the signature that `meta` declares? None when it declares none."""
        if not meta.is_signed:
            return None
        return await asyncio.to_thread(judge, meta, payload, data, self._staging.store)

    async def drop(self, arrival: Arrival) -> None:
        """It did not become an object's data."""
        if arrival.payload is not None:
            await self._staging.drop(arrival.payload.name)

    async def _snapshot(self, meta: Metadata, source_files: SourceFiles, name: str) -> Arrival:
        """A copy of the file as it is now: what travels later is whole, and what was signed, whatever becomes of the file."""
        with ExitStack() as resources:
            file = await asyncio.to_thread(resources.enter_context, source_files.open(meta.source_data_uri))
            if not meta.carries_data or meta.meta_only:
                return Arrival()
            self._staging.check_size(file.size_bytes)
            payload, data = await self._staging.take_whole(_pieces_of(file), name)
        return await self._small(meta, data, name) if data is not None else await self._sealed(meta, payload)

    @staticmethod
    def _size_of(source_files: SourceFiles, uri: str) -> int:
        with source_files.open(uri) as file:
            return file.size_bytes

    async def _small(self, meta: Metadata, data: bytes, name: str) -> Arrival:
        digest = hashlib.sha256(data).hexdigest()
        payload = Payload(name, len(data), digest, is_small=True)
        return Arrival(data, digest, verdict=await self.judge(meta, payload, data))

    async def _sealed(self, meta: Metadata, payload: Payload) -> Arrival:
        return Arrival(payload=payload, verdict=await self.judge(meta, payload, None))


async def _pieces_of(file: SourceFile) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, _READ_BYTES):
        yield piece
