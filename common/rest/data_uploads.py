"""Data of own objects that comes by itself: whole, or in pieces that each are durable when answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from common.domain.errors import OutcomeUnknown, SyncError
from common.domain.ids import ObjectKey
from common.domain.objects import ObjectStatus, Payload, SyncObject, check_accepts_data
from common.domain.preconditions import UNCONDITIONAL, Precondition, data_validator
from common.domain.signing import OutdatedVerdict, Verdict, WrongSignature
from common.rest.arrivals import Arrivals
from common.rest.ranges import ContentRange
from common.rest.staging import Staging
from common.rest.transactions import Transactions
from common.sync.payload_names import payload_name
from common.sync.ports import UnitOfWork
from common.sync.publisher import Publisher
from common.sync.quotas import Quotas
from common.sync.records import Upload
from common.sync.uploads import Uploads


class DataUploads:
    """Coroutines; every call is a few transactions, with the bytes staged between them."""

    def __init__(
        self,
        transactions: Transactions,
        publisher: Publisher,
        uploads: Uploads,
        staging: Staging,
        arrivals: Arrivals,
        new_token: Callable[[], str],
        quotas: Quotas,
    ) -> None:
        self._transactions = transactions
        self._publisher = publisher
        self._uploads = uploads
        self._staging = staging
        self._arrivals = arrivals
        self._new_token = new_token
        self._quotas = quotas

    async def put_whole(
        self, key: ObjectKey, size: int | None, body: AsyncIterator[bytes], precondition: Precondition = UNCONDITIONAL
    ) -> Payload:
        """Replace the data of an own object; durable on return.

        Raises NotFound, InvalidRequest, TooLarge, PreconditionFailed, QuotaExceeded, and VerificationFailed when the object is left without
        the data, which does not have the signature it declares.
        """
        await self._check_accepts_data(key, precondition, size or 0)
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
        except OutcomeUnknown:
            raise  # the data may be the object's; if it is not, the sweep for orphans finds it
        except SyncError:
            if data is None:
                await self._staging.drop(payload.name)
            raise
        return payload

    async def put_piece(
        self,
        key: ObjectKey,
        piece: ContentRange,
        body: AsyncIterator[bytes],
        precondition: Precondition = UNCONDITIONAL,
    ) -> None:
        """One piece of an upload; durable on return. The piece that completes the upload publishes the object.

        Who changes the data after `precondition` was found to hold ends the upload with it.
        Raises NotFound, InvalidRequest, TooLarge, Ignored, PreconditionFailed, QuotaExceeded.
        """
        self._staging.check_size(piece.total)
        upload = await self._transactions.write(
            lambda uow: self._uploads.begin(uow, key, piece.start, piece.end, piece.total, precondition)
        )
        # After a crash between the last piece and its publication the staging area may be sealed already.
        if not upload.coverage.covers(upload.total_bytes):
            starts_over = await self._take_piece(upload, piece, body)
            if await self._is_repeated_last_piece(upload, piece) and await self._transactions.write(
                lambda uow: self._uploads.forget_empty(uow, key, upload.staged)
            ):
                return
            upload = await self._transactions.write(
                lambda uow: self._uploads.piece_is_durable(
                    uow, key, upload.staged, piece.start, piece.end, starts_over=starts_over
                )
            )
        if upload.coverage.covers(upload.total_bytes):
            payload = await self._staging.seal(upload.staged, upload.total_bytes)
            await self._publish_data(
                key, payload, None, lambda uow, verdict: self._uploads.complete(uow, upload, payload, verdict)
            )

    async def _publish_data(
        self,
        key: ObjectKey,
        payload: Payload,
        data: bytes | None,
        publish: Callable[[UnitOfWork, Verdict | None], SyncObject],
    ) -> SyncObject:
        """Judge the data by the signature the object declares, and again when that was changed in the meantime."""
        while True:
            verdict = await self._arrivals.judge(
                (await self._transactions.read(lambda uow: uow.objects.get(key))).meta, payload, data
            )
            try:
                return await self._transactions.write(lambda uow: publish(uow, verdict))  # noqa: B023 - done before the next round
            except OutdatedVerdict:
                continue

    async def _check_accepts_data(self, key: ObjectKey, precondition: Precondition, size: int) -> None:
        """Looked at before the body is: who is refused need not send it. It is looked at again with the change."""

        def check(uow: UnitOfWork) -> None:
            item = uow.objects.get(key)
            check_accepts_data(item)
            precondition.check(data_validator(item))
            self._quotas.check_room(uow, key, item, size)

        await self._transactions.read(check)

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
        item = await self._transactions.read(lambda uow: uow.objects.find(upload.object))
        if item is None or item.payload is None or item.payload.is_small or item.payload.size != piece.total:
            return False
        return await self._staging.has_same_bytes(upload.staged, item.payload.name, piece.start, piece.end)
