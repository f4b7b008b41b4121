"""The applications' side of a node, without HTTP: objects and their data, published, read and used up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from common.domain.errors import NotFound, SyncError
from common.domain.ids import ObjectKey
from common.domain.metadata import Metadata
from common.domain.objects import READABLE, ObjectStatus, Payload, SyncObject, check_accepts_data
from common.domain.preconditions import UNCONDITIONAL, Precondition, data_validator
from common.domain.publishing import LocalNode, check_publishable, completed
from common.domain.signing import OutdatedVerdict, Verdict, WrongSignature
from common.rest.arrivals import Arrivals
from common.rest.ranges import ContentRange
from common.rest.staging import Staging
from common.runtime.batching import Batcher
from common.sync.ports import Database, UnitOfWork
from common.sync.publisher import Publisher, PutObject, payload_name
from common.sync.receiver import Receiver
from common.sync.records import Upload
from common.sync.uploads import Uploads

if TYPE_CHECKING:
    from common.sync.dry_run import Plan

T = TypeVar("T")

#: Where transactions commit side by side: one batch of publishes is being committed while the next one is handed over.
_PUT_LANES = 2


@dataclass(frozen=True, slots=True)
class ReadableData:
    """An object's data as of one moment; `small` holds the bytes when they live in the database."""

    name: str
    size: int
    digest: str
    small: bytes | None


class Exchange:
    """One per process. Coroutines; every call is one or a few transactions in worker threads."""

    def __init__(
        self,
        local: LocalNode,
        database: Database,
        publisher: Publisher,
        receiver: Receiver,
        uploads: Uploads,
        staging: Staging,
        new_token: Callable[[], str],
        chunk_bytes: int,
        now_ms: Callable[[], int],
        arrivals: Arrivals,
    ) -> None:
        self._local = local
        self._database = database
        self._publisher = publisher
        self._receiver = receiver
        self._uploads = uploads
        self._staging = staging
        self._new_token = new_token
        self._chunk_bytes = chunk_bytes
        self._now_ms = now_ms
        self._arrivals = arrivals
        self._puts: Batcher[PutObject, SyncObject] = Batcher(
            database, publisher.put_many, lanes=min(_PUT_LANES, database.parallel_commits)
        )

    @property
    def staging(self) -> Staging:
        return self._staging

    async def put(
        self,
        key: ObjectKey,
        meta: Metadata,
        data: bytes | None,
        owner: str,
        precondition: Precondition = UNCONDITIONAL,
    ) -> None:
        """Create or update an own object; durable on return.

        Raises InvalidRequest, PreconditionFailed, and VerificationFailed when the object is stored without its data, which
        does not have the signature it is declared to have.
        """
        now_ms = self._now_ms()
        check_publishable(meta, key, self._local, has_data=bool(data), now_ms=now_ms)
        meta = completed(meta, key, self._local, owner, self._chunk_bytes, now_ms)
        arrival = await self._arrivals.of_publish(meta, data, payload_name(key, self._new_token()))
        try:
            await self._puts.submit(
                PutObject(
                    key, meta, arrival.data, arrival.payload, arrival.digest, arrival.verdict, precondition=precondition
                )
            )
            arrival.check()
        except SyncError:
            await self._arrivals.drop(arrival)
            raise

    async def rehearse(
        self,
        key: ObjectKey,
        meta: Metadata,
        data: bytes | None,
        owner: str,
        precondition: Precondition = UNCONDITIONAL,
    ) -> Plan:
        """What `put` would do; nothing is changed. Raises what it raises."""
        # Imported here: hardly anybody asks.
        from common.sync.dry_run import plan_publish

        now_ms = self._now_ms()
        check_publishable(meta, key, self._local, has_data=bool(data), now_ms=now_ms)
        meta = completed(meta, key, self._local, owner, self._chunk_bytes, now_ms)
        arrival = await self._arrivals.rehearsed(meta, data)
        arrival.check()
        command = PutObject(
            key, meta, arrival.data, arrival.payload, arrival.digest, arrival.verdict, precondition=precondition
        )
        return await self._read(lambda uow: plan_publish(uow, self._local, self._publisher, command))

    async def put_data(
        self, key: ObjectKey, size: int | None, body: AsyncIterator[bytes], precondition: Precondition = UNCONDITIONAL
    ) -> Payload:
        """Replace the data of an own object; durable on return.

        Raises NotFound, InvalidRequest, TooLarge, PreconditionFailed, and VerificationFailed as `put` does.
        """
        await self._check_accepts_data(key, precondition)
        self._staging.check_size(size)
        payload, data = await self._staging.take_whole(body, payload_name(key, self._new_token()))
        try:
            published = await self._publish_data(
                key,
                payload,
                data,
                lambda uow, verdict: self._publisher.put_data(
                    uow, key, payload, data, verdict=verdict, precondition=precondition
                ),
            )
            if published.status is ObjectStatus.VERIFICATION_FAILED:
                raise WrongSignature
        except SyncError:
            if data is None:
                await self._staging.drop(payload.name)
            raise
        return payload

    async def put_data_piece(
        self,
        key: ObjectKey,
        piece: ContentRange,
        body: AsyncIterator[bytes],
        precondition: Precondition = UNCONDITIONAL,
    ) -> None:
        """One piece of an upload; durable on return. The piece that completes the upload publishes the object.

        Who changes the data after `precondition` was found to hold ends the upload with it.
        Raises NotFound, InvalidRequest, TooLarge, Ignored, PreconditionFailed.
        """
        self._staging.check_size(piece.total)
        upload = await self._write(
            lambda uow: self._uploads.begin(uow, key, piece.start, piece.end, piece.total, precondition)
        )
        # After a crash between the last piece and its publication the staging area may be sealed already.
        if not upload.coverage.covers(upload.total_bytes):
            starts_over = await self._take_piece(upload, piece, body)
            if await self._is_repeated_last_piece(upload, piece) and await self._write(
                lambda uow: self._uploads.forget_empty(uow, key, upload.staged)
            ):
                return
            upload = await self._write(
                lambda uow: self._uploads.piece_is_durable(
                    uow, key, upload.staged, piece.start, piece.end, starts_over=starts_over
                )
            )
        if upload.coverage.covers(upload.total_bytes):
            payload = await self._staging.seal(upload.staged, upload.total_bytes)
            await self._publish_data(
                key, payload, None, lambda uow, verdict: self._uploads.complete(uow, upload, payload, verdict)
            )

    async def get(self, key: ObjectKey) -> SyncObject:
        """Raises NotFound."""
        return await self._read(lambda uow: uow.objects.get(key))

    async def find(self, key: ObjectKey) -> SyncObject | None:
        return await self._read(lambda uow: uow.objects.find(key))

    async def readable_data(self, key: ObjectKey) -> ReadableData:
        """The data of the version that applications see. Raises NotFound when there is none to read."""

        def look_up(uow: UnitOfWork) -> ReadableData:
            item = uow.objects.get(key)
            if item.payload is None or item.status not in READABLE:
                raise NotFound
            payload = item.payload
            small = None
            if payload.is_small:
                small = uow.payloads.read_small(payload.name) if payload.size else b""
            return ReadableData(payload.name, payload.size, payload.digest, small)

        return await self._read(look_up)

    async def delete(self, key: ObjectKey, precondition: Precondition = UNCONDITIONAL) -> None:
        """Raises NotFound, InvalidRequest, PreconditionFailed."""
        await self._write(lambda uow: self._publisher.delete(uow, key, precondition))

    async def _publish_data(
        self,
        key: ObjectKey,
        payload: Payload,
        data: bytes | None,
        publish: Callable[[UnitOfWork, Verdict | None], SyncObject],
    ) -> SyncObject:
        """Judge the data by the signature the object declares, and again when that was changed in the meantime."""
        while True:
            verdict = await self._arrivals.judge((await self.get(key)).meta, payload, data)
            try:
                return await self._write(lambda uow: publish(uow, verdict))  # noqa: B023 - done before the next round
            except OutdatedVerdict:
                continue

    async def _check_accepts_data(self, key: ObjectKey, precondition: Precondition) -> None:
        """Looked at before the body is: who is refused need not send it. It is looked at again with the change."""
        item = await self.get(key)
        check_accepts_data(item)
        precondition.check(data_validator(item))

    async def _take_piece(self, upload: Upload, piece: ContentRange, body: AsyncIterator[bytes]) -> bool:
        """Stage one piece. Whether it differs from what was there in its place: then this is another upload, and what is
        left of an abandoned one of the same size must not get into it.
        """
        name, start, end = upload.staged, piece.start, piece.end
        if not upload.coverage.overlaps(start, end):
            await self._staging.take_piece(body, name, start, end)
            return False
        before = await self._staging.digest_of_staged(name, start, end)
        self._staging.forget_digest(name)
        await self._staging.take_piece(body, name, start, end)
        return before is None or before != await self._staging.digest_of_staged(name, start, end)

    async def _is_repeated_last_piece(self, upload: Upload, piece: ContentRange) -> bool:
        """Did this piece complete the present data already, and its answer get lost?

        Kept as the beginning of another upload it would pass for the last piece of the next version of the same size.
        """
        if upload.coverage.ranges or piece.start == 0 or piece.end != piece.total:
            return False
        item = await self.find(upload.object)
        if item is None or item.payload is None or item.payload.is_small or item.payload.size != piece.total:
            return False
        return await self._staging.has_same_bytes(upload.staged, item.payload.name, piece.start, piece.end)

    async def _write(self, work: Callable[[UnitOfWork], T]) -> T:
        return await asyncio.wrap_future(self._database.submit(work))

    async def _read(self, work: Callable[[UnitOfWork], T]) -> T:
        return await asyncio.to_thread(self._database.read, work)
