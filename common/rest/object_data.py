"""`…/{id}/data`: an object's bytes, read and replaced, whole and in pieces (rest-api 3.10, 3.11)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from common.domain.ids import ObjectKey
from common.rest import data as data_responses
from common.rest import responses
from common.rest.body import declared_length
from common.rest.exchange import Exchange
from common.rest.ranges import parse_content_range, parse_range

#: Which process took a piece of an upload; the client only wants it to be there (rest-api 3.11).
UPLOAD_OWNER_HEADER = "MMS-Upload-Owner"


class ObjectData:
    """The endpoints; callers are known and allowed."""

    def __init__(self, exchange: Exchange, slots: data_responses.DownloadSlots, process_id: str) -> None:
        self._exchange = exchange
        self._slots = slots
        self._process_id = process_id

    async def get(self, request: Request, key: ObjectKey) -> Response:
        header = request.headers.get("range")
        wanted = parse_range(header) if header else None
        data = await self._exchange.readable_data(key)
        store = self._exchange.staging.store
        # A range that covers everything is answered as the whole: the download client tells the two apart (rest-api 3.10).
        if wanted is None or (wanted.start == 0 and wanted.end >= data.size > 0):
            return data_responses.whole(data, store)
        return data_responses.part(data, wanted, store, self._slots)

    async def put(self, request: Request, key: ObjectKey) -> Response:
        header = request.headers.get("content-range")
        if header is None:
            await self._exchange.put_data(key, declared_length(request), request.stream())
            return responses.done()
        piece = parse_content_range(header)
        await self._exchange.put_data_piece(key, piece, request.stream())
        return Response(status_code=204, headers={UPLOAD_OWNER_HEADER: self._process_id})
