"""`…/{id}/data`: an object's bytes, read and replaced, whole and in pieces (rest-api 3.10, 3.11)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from common.domain.ids import ObjectKey
from common.rest import conditions
from common.rest.body import declared_length
from common.rest.data import Downloads
from common.rest.data_uploads import DataUploads
from common.rest.exchange import Exchange
from common.rest.gate import caller_of
from common.rest.ranges import parse_content_range, parse_range, range_of_rfc
from common.rest.transfers import Transfers

#: Which process took a piece of an upload; the client only wants it to be there (rest-api 3.11).
UPLOAD_OWNER_HEADER = "MMS-Upload-Owner"


class ObjectData:
    """The endpoints; callers are known and allowed."""

    def __init__(
        self,
        exchange: Exchange,
        uploads: DataUploads,
        downloads: Downloads,
        transfers: Transfers,
        process_id: str,
    ) -> None:
        self._exchange = exchange
        self._uploads = uploads
        self._downloads = downloads
        self._transfers = transfers
        self._process_id = process_id

    async def get(self, request: Request, key: ObjectKey) -> Response:
        header, if_range = request.headers.get("range"), request.headers.get("if-range")
        # The reference's form of Range is checked before anything else is; with If-Range, RFC 9110 holds.
        wanted = parse_range(header) if header and if_range is None else None
        data = await self._exchange.readable_data(key)
        known = conditions.unless_known(request, data.digest)
        if known is not None:
            return known
        fields = {"accept-ranges": "bytes", "etag": conditions.etag(data.digest)}
        # A range that covers everything is answered as the whole: the download client tells the two apart (rest-api 3.10).
        if wanted is not None and wanted.start == 0 and wanted.end >= data.size > 0:
            wanted = None
        if header and if_range is not None and conditions.is_unchanged(if_range, data.digest):
            wanted = range_of_rfc(header, data.size)
        if wanted is None:
            return self._downloads.whole(data, caller_of(request), fields)
        return self._downloads.part(data, wanted, caller_of(request), fields)

    async def put(self, request: Request, key: ObjectKey) -> Response:
        with self._transfers.upload(caller_of(request)):
            return await self._take(request, key)

    async def _take(self, request: Request, key: ObjectKey) -> Response:
        header = request.headers.get("content-range")
        precondition = conditions.precondition(request)
        if header is None:
            size = declared_length(request)
            payload = await self._uploads.put_whole(key, size, request.stream(), precondition)
            return Response(status_code=204, headers={"etag": conditions.etag(payload.digest)})
        piece = parse_content_range(header)
        await self._uploads.put_piece(key, piece, request.stream(), precondition)
        return Response(status_code=204, headers={UPLOAD_OWNER_HEADER: self._process_id})
