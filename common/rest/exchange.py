"""The applications' side of a node, without HTTP: objects and their data, published, read and used up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeVar

from common.domain.delivery import Delivery
from common.domain.errors import NotFound, SyncError
from common.domain.ids import ObjectKey
from common.domain.metadata import Metadata
from common.domain.objects import LISTED_AS_UPDATED, READABLE, ObjectStatus, SyncObject, check_accepts_data
from common.domain.publishing import LocalNode, check_publishable, completed
from common.rest.ranges import ContentRange
from common.rest.staging import Staging
from common.runtime.batching import Batcher
from common.sync.ports import Database, UnitOfWork
from common.sync.publisher import Publisher, PutObject, payload_name
from common.sync.receiver import Receiver
from common.sync.records import Upload
from common.sync.uploads import Uploads

T = TypeVar("T")

#: Objects in one answer of a list that has no paging in the reference's interface; a poller sees the rest after these.
LIST_LIMIT = 10_000


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
    ) -> None:
        self._local = local
        self._database = database
        self._publisher = publisher
        self._receiver = receiver
        self._uploads = uploads
        self._staging = staging
        self._new_token = new_token
        self._chunk_bytes = chunk_bytes
        self._puts: Batcher[PutObject, SyncObject] = Batcher(
            database, publisher.put_many, lanes=min(_PUT_LANES, database.parallel_commits)
        )

    @property
    def staging(self) -> Staging:
        return self._staging

    async def put(self, key: ObjectKey, meta: Metadata, data: bytes | None, owner: str) -> None:
        """Create or update an own object; durable on return. Raises InvalidRequest."""
        check_publishable(meta, key, self._local, has_data=bool(data))
        meta = completed(meta, key, self._local, owner, self._chunk_bytes)
        if data is None or meta.no_data or self._staging.is_small_size(len(data)):
            await self._puts.submit(PutObject(key, meta, data=None if meta.no_data else data))
            return
        payload = await self._staging.take_bytes(data, payload_name(key, self._new_token()))
        try:
            await self._puts.submit(PutObject(key, meta, payload=payload))
        except SyncError:
            await self._staging.drop(payload.name)
            raise

    async def put_data(self, key: ObjectKey, size: int | None, body: AsyncIterator[bytes]) -> None:
        """Replace the data of an own object; durable on return. Raises NotFound, InvalidRequest, TooLarge."""
        await self._check_accepts_data(key)
        self._staging.check_size(size)
        payload, data = await self._staging.take_whole(body, payload_name(key, self._new_token()))
        try:
            await self._write(lambda uow: self._publisher.put_data(uow, key, payload, data))
        except SyncError:
            if data is None:
                await self._staging.drop(payload.name)
            raise

    async def put_data_piece(self, key: ObjectKey, piece: ContentRange, body: AsyncIterator[bytes]) -> None:
        """One piece of an upload; durable on return. The piece that completes the upload publishes the object.

        Raises NotFound, InvalidRequest, TooLarge, Ignored.
        """
        self._staging.check_size(piece.total)
        upload = await self._write(lambda uow: self._uploads.begin(uow, key, piece.start, piece.end, piece.total))
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
            await self._write(lambda uow: self._uploads.complete(uow, upload, payload))

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

    async def list_updated(self, org: str, object_type: str, *, include_received: bool) -> list[Metadata]:
        """What the polling call shows (rest-api 3.4), by object id."""
        statuses = LISTED_AS_UPDATED | ({ObjectStatus.RECEIVED} if include_received else set())

        def look_up(uow: UnitOfWork) -> list[Metadata]:
            found = uow.objects.list_of_type(org, object_type, statuses=statuses, after="", limit=LIST_LIMIT)
            return [item.meta for item in found]

        return await self._read(look_up)

    async def list_all(self, org: str, object_type: str) -> list[tuple[SyncObject, list[Delivery]]]:
        """Every object of the type with its destinations (rest-api 3.5), by object id."""

        def look_up(uow: UnitOfWork) -> list[tuple[SyncObject, list[Delivery]]]:
            found = uow.objects.list_of_type(org, object_type, statuses=None, after="", limit=LIST_LIMIT)
            with_destinations = self._local.is_cloud
            return [(o, uow.deliveries.list_of_object(o.key) if with_destinations and o.is_own else []) for o in found]

        return await self._read(look_up)

    async def destinations(self, key: ObjectKey) -> list[Delivery]:
        """Raises NotFound."""
        return await self._read(lambda uow: self._publisher.destinations(uow, key))

    async def delete(self, key: ObjectKey) -> None:
        """Raises NotFound, InvalidRequest."""
        await self._write(lambda uow: self._publisher.delete(uow, key))

    async def mark_received(self, key: ObjectKey) -> None:
        """Raises InvalidRequest, as do the next two."""
        await self._write(lambda uow: self._receiver.received_by_application(uow, key))

    async def mark_consumed(self, key: ObjectKey) -> None:
        await self._write(lambda uow: self._receiver.consumed_by_application(uow, key))

    async def mark_deleted(self, key: ObjectKey) -> None:
        await self._write(lambda uow: self._receiver.deletion_confirmed_by_application(uow, key))

    async def _check_accepts_data(self, key: ObjectKey) -> None:
        check_accepts_data(await self.get(key))

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
