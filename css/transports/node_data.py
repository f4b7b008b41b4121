"""Bytes between an edge and the cloud: downloads by range, uploads that resume (wire-protocol 2.7, 2.8)."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from common.domain.chunks import Range
from common.domain.errors import Ignored, InvalidRequest, NotFound, RangeNotSatisfiable, VerificationFailed
from common.domain.ids import NodeKey, ObjectKey
from common.domain.objects import ObjectStatus, Payload
from common.domain.reception import Reception, ReceptionState
from common.domain.signing import WrongSignature
from common.protocol.digest_field import DIGEST_HEADER, format_digest, parse_digest
from common.rest import responses
from common.rest.body import declared_length
from common.rest.data import Downloads
from common.rest.gate import caller_of
from common.rest.ranges import parse_content_range, parse_range
from common.rest.readable_data import ReadableData, readable_data
from common.rest.staging import Staging, first_bytes, verify_digest
from common.rest.transactions import Transactions
from common.rest.transfers import Transfers
from common.runtime.intake import FLUSH_EVERY_BYTES
from common.runtime.signatures import check_signature
from common.sync.payloads import PayloadIncomplete, PayloadMissing
from common.sync.ports import UnitOfWork
from common.sync.receiver import Receiver


class NodeData:
    """The two data endpoints of the node interface."""

    def __init__(
        self,
        transactions: Transactions,
        receiver: Receiver,
        staging: Staging,
        downloads: Downloads,
        transfers: Transfers,
    ) -> None:
        self._transactions = transactions
        self._receiver = receiver
        self._staging = staging
        self._downloads = downloads
        self._transfers = transfers

    async def download(self, node: NodeKey, key: ObjectKey, instance: int, request: Request) -> Response:
        """Data of an object that is on its way to `node`. 404 means gone, 409 another instance (wire-protocol 0.1 rule 10)."""
        data = await self._transactions.read(lambda uow: _deliverable_data(uow, node, key, instance))
        header = request.headers.get("range")
        digest = {DIGEST_HEADER: format_digest(data.digest)}
        if header is None:
            return self._downloads.whole(data, caller_of(request), digest)
        try:
            return self._downloads.part(data, parse_range(header), caller_of(request), digest)
        except RangeNotSatisfiable:
            return responses.empty(416)  # not the 404 it is elsewhere: the node would drop its copy

    async def upload(self, node: NodeKey, key: ObjectKey, instance: int, request: Request) -> Response:
        """Data of an object `node` has announced: whole, or a piece that is durable when answered."""
        reception = await self._transactions.read(lambda uow: uow.receptions.find(key))
        if reception is None or reception.origin != node:
            raise Ignored("This object was not announced.")
        if reception.instance != instance:
            raise Ignored
        if reception.state is not ReceptionState.FETCHING:
            return responses.done()  # a repeat: complete already
        size = reception.meta.object_size
        span = _span(request, size)
        self._staging.check_size(size)
        with self._transfers.upload(caller_of(request)):
            return await self._receive(reception, span, request)

    async def _receive(self, reception: Reception, span: Range, request: Request) -> Response:
        size = reception.meta.object_size
        if span.size_bytes == size and self._staging.is_small_size(size):
            return await self._take_small(reception, request)
        if not reception.coverage.covers(size):
            reception = await self._take(reception, span, request)
        if reception.coverage.covers(size):
            return await self._complete(reception, parse_digest(request.headers.get(DIGEST_HEADER)))
        return responses.done()

    async def _take(self, reception: Reception, span: Range, request: Request) -> Reception:
        """Stage the body; what is durable is written down as it comes, so that a cut costs at most the window (R6)."""
        key, instance = reception.object, reception.instance

        def flushed(position: int) -> None:
            if position < span.end:
                self._transactions.write_and_wait(
                    lambda uow: self._receiver.piece_is_durable(uow, key, instance, span.start, position)
                )

        on_flushed = flushed if span.size_bytes > FLUSH_EVERY_BYTES else None
        await self._staging.take_piece(request.stream(), reception.staged, span.start, span.end, on_flushed)
        return await self._transactions.write(
            lambda uow: self._receiver.piece_is_durable(uow, key, instance, span.start, span.end)
        )

    async def _take_small(self, reception: Reception, request: Request) -> Response:
        size = reception.meta.object_size
        payload, data = await self._staging.take_whole(first_bytes(request.stream(), size), reception.staged)
        if payload.size != size:
            raise InvalidRequest(f"The object has {size} bytes, the body {payload.size}.")
        verify_digest(payload.digest, parse_digest(request.headers.get(DIGEST_HEADER)))
        return await self._show(reception, payload, data)

    async def _complete(self, reception: Reception, expected_digest: str | None) -> Response:
        """Seal and show the object. Raises VerificationFailed or PayloadError; all is to be sent again then."""
        try:
            payload = await self._staging.seal(reception.staged, reception.meta.object_size, expected_digest)
        except (VerificationFailed, PayloadMissing, PayloadIncomplete):
            await self._transactions.write(
                lambda uow: self._receiver.data_is_wrong(uow, reception.object, reception.instance)
            )
            await self._staging.drop(reception.staged)
            raise
        return await self._show(reception, payload, None)

    async def _show(self, reception: Reception, payload: Payload, data: bytes | None) -> Response:
        """Whole and as announced. A wrong signature is final: what the node signed will be no better the next time."""
        key, instance = reception.object, reception.instance
        try:
            if reception.meta.is_signed:
                await asyncio.to_thread(check_signature, reception.meta, payload, data, self._staging.store)
        except WrongSignature as error:
            reason = str(error)
            await self._transactions.write(
                lambda uow: self._receiver.data_failed(uow, key, instance, reason, is_wrong=True)
            )
            await self._staging.drop(payload.name)
            return Response(f"{reason}\n", 422, media_type="text/plain")
        await self._transactions.write(lambda uow: self._receiver.data_complete(uow, key, instance, payload, data))
        return responses.done()


def _deliverable_data(uow: UnitOfWork, node: NodeKey, key: ObjectKey, instance: int) -> ReadableData:
    """Raises NotFound, which makes the reference's node drop its copy, only when there is nothing to wait for."""
    item = uow.objects.find(key)
    if item is None or item.status is ObjectStatus.DELETED or not uow.deliveries.find_many([(key, node)]):
        raise NotFound
    if item.instance != instance:
        raise Ignored
    return readable_data(uow, item)


def _span(request: Request, size: int) -> Range:
    header = request.headers.get("content-range")
    if header is None:
        length = declared_length(request)
        if length is not None and length != size:
            raise InvalidRequest(f"The object has {size} bytes, the body {length}.")
        return Range(0, size)
    piece = parse_content_range(header)
    if piece.total != size:
        raise InvalidRequest(f"The object has {size} bytes, Content-Range says {piece.total}.")
    return Range(piece.start, piece.end)
