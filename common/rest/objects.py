"""`/api/v1/objects/…`: the application's view of objects, the same on cloud and edge but for the organization in the path.

One endpoint takes the whole subtree, because the reference splits the decoded path itself: an encoded slash separates,
one trailing slash is ignored, operation words match in any case (rest-api 1.2).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from common.domain.delivery import Delivery
from common.domain.errors import Forbidden, InvalidRequest, NotFound, TooLarge
from common.domain.ids import ObjectKey
from common.domain.objects import SyncObject
from common.domain.principals import Principal, Role, check_may_read, check_may_write, sees_all
from common.domain.publishing import LocalNode
from common.protocol import codec
from common.rest import data as data_responses
from common.rest import responses
from common.rest.body import BodyBudget, declared_length, read_body
from common.rest.exchange import Exchange
from common.rest.gate import Gate
from common.rest.paths import check_names, flag, segments_below
from common.rest.ranges import parse_content_range, parse_range

PREFIX = "/api/v1/objects"

#: Which process took a piece of an upload; the client only wants it to be there (rest-api 3.11).
UPLOAD_OWNER_HEADER = "MMS-Upload-Owner"

Operation = Callable[[Request, ObjectKey], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class ObjectLimits:
    """Sizes in bytes above which a request is refused."""

    request_bytes: int
    metadata_bytes: int


class ObjectsApi:
    """The endpoint."""

    def __init__(
        self,
        local: LocalNode,
        exchange: Exchange,
        gate: Gate,
        limits: ObjectLimits,
        budget: BodyBudget,
        slots: data_responses.DownloadSlots,
        process_id: str,
    ) -> None:
        self._local = local
        self._exchange = exchange
        self._gate = gate
        self._limits = limits
        self._budget = budget
        self._slots = slots
        self._process_id = process_id
        self._operations: dict[str, dict[str, Operation]] = {
            "data": {"GET": self._get_data, "PUT": self._put_data},
            "status": {"GET": self._get_status},
            "destinations": {"GET": self._get_destinations, "PUT": _not_yet, "POST": _not_yet},
            "received": {"PUT": self._marking(exchange.mark_received)},
            "consumed": {"PUT": self._marking(exchange.mark_consumed)},
            "deleted": {"PUT": self._marking(exchange.mark_deleted)},
            "activate": {"PUT": _not_yet},
            "policyreceived": {"PUT": _not_yet},
        }

    async def handle(self, request: Request) -> Response:
        """Any method, any path below PREFIX."""
        segments = segments_below(request.scope["path"], PREFIX)
        org = self._local.org
        if self._local.is_cloud:
            if not segments:
                return responses.empty(400)
            org, *segments = segments
        match segments:
            case []:
                return await self._organization(request, org)
            case [object_type]:
                return await self._type(request, org, object_type)
            case [object_type, object_id]:
                return await self._object(request, _key(org, object_type, object_id))
            case [object_type, object_id, operation]:
                return await self._operation(request, _key(org, object_type, object_id), operation.lower())
            case _:
                return responses.empty(400)

    async def _organization(self, request: Request, org: str) -> Response:
        check_names(organization=org)
        if request.method != "GET":
            return responses.empty(405)
        sees_all(await self._gate.principal(request), org, "", self._local)
        return responses.empty(400)

    async def _type(self, request: Request, org: str, object_type: str) -> Response:
        check_names(organization=org, object_type=object_type)
        if request.method not in ("GET", "PUT"):
            return responses.empty(405)
        has_anything_to_see = sees_all(await self._gate.principal(request), org, object_type, self._local)
        if request.method == "PUT":
            raise InvalidRequest("Webhooks are not supported by this version.")
        try:
            all_objects = flag(request.query_params, "all_objects")
            include_received = flag(request.query_params, "received")
        except ValueError:
            return responses.empty(400)
        if not has_anything_to_see:
            return responses.not_found()
        if all_objects:
            listed = await self._exchange.list_all(org, object_type)
            return _json_or_404([_with_destinations(item, deliveries) for item, deliveries in listed])
        metas = await self._exchange.list_updated(org, object_type, include_received=bool(include_received))
        return responses.json_body(codec.encode_metadata_list(metas)) if metas else responses.not_found()

    async def _object(self, request: Request, key: ObjectKey) -> Response:
        match request.method:
            case "PUT":
                return await self._put(request, key)
            case "GET":
                await self._check_may_read(await self._gate.principal(request), key)
                item = await self._exchange.get(key)
                return responses.json_body(codec.encode_metadata(item.meta))
            case "DELETE":
                return await self._delete(request, key)
            case _:
                return responses.empty(405)

    async def _put(self, request: Request, key: ObjectKey) -> Response:
        principal = await self._writer(request, key)
        limit = self._limits.request_bytes
        length = declared_length(request)
        async with self._budget.hold(limit if length is None else min(length, limit)):
            raw = await read_body(request, limit)
            meta, data = codec.decode_put_object(raw)
            if len(raw) - len(data or b"") * 4 // 3 > self._limits.metadata_bytes:
                raise TooLarge(f"The metadata exceeds the limit of {self._limits.metadata_bytes} bytes.")
            await self._exchange.put(key, meta, data, principal.owner)
        return responses.done()

    async def _delete(self, request: Request, key: ObjectKey) -> Response:
        await self._writer(request, key)
        try:
            await self._exchange.delete(key)
        except NotFound:
            if self._local.is_cloud:
                return responses.not_found()
            raise InvalidRequest("There is no such object to delete.") from None
        return responses.done()

    async def _operation(self, request: Request, key: ObjectKey, operation: str) -> Response:
        principal = await self._gate.principal(request)
        methods = self._operations.get(operation)
        if methods is None:
            return responses.empty(400)
        endpoint = methods.get(request.method)
        if endpoint is None:
            return responses.empty(405)
        await self._check_may_read(principal, key)
        if request.method == "PUT" and operation == "data":
            check_may_write(principal, key.org, key.type, self._local)
        return await endpoint(request, key)

    async def _get_status(self, request: Request, key: ObjectKey) -> Response:
        return responses.word((await self._exchange.get(key)).status)

    async def _get_destinations(self, request: Request, key: ObjectKey) -> Response:
        if not self._local.is_cloud:
            return responses.not_found()
        return _json_or_404([_destination(d) for d in await self._exchange.destinations(key)])

    async def _get_data(self, request: Request, key: ObjectKey) -> Response:
        header = request.headers.get("range")
        wanted = parse_range(header) if header else None
        data = await self._exchange.readable_data(key)
        store = self._exchange.staging.store
        # A range that covers everything is answered as the whole: the download client tells the two apart (rest-api 3.10).
        if wanted is None or (wanted.start == 0 and wanted.end >= data.size > 0):
            return data_responses.whole(data, store)
        return data_responses.part(data, wanted, store, self._slots)

    async def _put_data(self, request: Request, key: ObjectKey) -> Response:
        header = request.headers.get("content-range")
        if header is None:
            await self._exchange.put_data(key, declared_length(request), request.stream())
            return responses.done()
        piece = parse_content_range(header)
        await self._exchange.put_data_piece(key, piece, request.stream())
        return Response(status_code=204, headers={UPLOAD_OWNER_HEADER: self._process_id})

    @staticmethod
    def _marking(mark: Callable[[ObjectKey], Awaitable[None]]) -> Operation:
        async def endpoint(request: Request, key: ObjectKey) -> Response:
            await mark(key)
            return responses.done()

        return endpoint

    async def _check_may_read(self, principal: Principal, key: ObjectKey) -> None:
        """Raises Forbidden. To a service an unknown object is forbidden, not missing (rest-api 2.2)."""
        check_may_read(principal, key.org, key.type, self._local)
        if principal.role is Role.SERVICE and await self._exchange.find(key) is None:
            raise Forbidden

    async def _writer(self, request: Request, key: ObjectKey) -> Principal:
        principal = await self._gate.principal(request)
        check_may_write(principal, key.org, key.type, self._local)
        return principal


def _key(org: str, object_type: str, object_id: str) -> ObjectKey:
    check_names(organization=org, object_type=object_type, object_ID=object_id)
    return ObjectKey(org, object_type, object_id)


async def _not_yet(request: Request, key: ObjectKey) -> Response:
    # An empty refusal would pass for success with one of the known clients (rest-api 1.4).
    raise InvalidRequest("This operation is not supported by this version.")


def _json_or_404(items: list[dict[str, object]]) -> Response:
    return responses.json_body(msgspec.json.encode(items)) if items else responses.not_found()


def _destination(delivery: Delivery) -> dict[str, object]:
    return {
        "destinationType": delivery.node.type,
        "destinationID": delivery.node.id,
        "status": delivery.status_word,
        "message": delivery.message,
    }


def _with_destinations(item: SyncObject, deliveries: list[Delivery]) -> dict[str, object]:
    shown: dict[str, object] = {"orgID": item.key.org, "objectType": item.key.type, "objectID": item.key.id}
    if item.meta.destination_policy is not None:
        shown["destinationPolicy"] = item.meta.destination_policy
    shown["destinations"] = [_destination(delivery) for delivery in deliveries]
    return shown
