"""`…/{type}/{id}`: one object, its metadata read, published and deleted (rest-api 3.7 to 3.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import InvalidRequest, NotFound, TooLarge
from common.domain.ids import ObjectKey
from common.domain.preconditions import metadata_validator
from common.domain.publishing import LocalNode
from common.protocol import codec
from common.rest import conditions, responses
from common.rest.access import Access
from common.rest.body import BodyBudget, declared_length, read_body
from common.rest.exchange import Exchange
from common.rest.paths import explained_flag

if TYPE_CHECKING:
    from common.sync.dry_run import Plan


@dataclass(frozen=True, slots=True)
class ObjectLimits:
    """Sizes in bytes above which a request is refused."""

    request_bytes: int
    metadata_bytes: int


class ObjectRecord:
    """The endpoints."""

    def __init__(
        self, local: LocalNode, exchange: Exchange, access: Access, limits: ObjectLimits, budget: BodyBudget
    ) -> None:
        self._local = local
        self._exchange = exchange
        self._access = access
        self._limits = limits
        self._budget = budget

    async def handle(self, request: Request, key: ObjectKey) -> Response:
        match request.method:
            case "PUT":
                return await self._put(request, key)
            case "GET":
                return await self._get(request, key)
            case "DELETE":
                return await self._delete(request, key)
            case _:
                return responses.empty(405)

    async def _get(self, request: Request, key: ObjectKey) -> Response:
        await self._access.check_may_read(await self._access.principal(request), key)
        meta = (await self._exchange.get(key)).meta
        validator = metadata_validator(meta)
        known = conditions.unless_known(request, validator)
        if known is not None:
            return known
        return responses.json_body(codec.encode_metadata(meta), {"etag": conditions.etag(validator)})

    async def _put(self, request: Request, key: ObjectKey) -> Response:
        principal = await self._access.principal(request)
        await self._access.check_may_write(principal, key, None)
        precondition = conditions.precondition(request)
        limit = self._limits.request_bytes
        length = declared_length(request)
        async with self._budget.hold(limit if length is None else min(length, limit), principal):
            raw = await read_body(request, limit)
            meta, data = codec.decode_put_object(raw)
            if len(raw) - len(data or b"") * 4 // 3 > self._limits.metadata_bytes:
                raise TooLarge(f"The metadata exceeds the limit of {self._limits.metadata_bytes} bytes.")
            await self._access.check_may_write(principal, key, meta)
            # Hardly any request has a query: to look into an empty one takes longer than all checks together.
            if request.scope["query_string"] and explained_flag(request.query_params, "dry_run"):
                return _shown_plan(await self._exchange.rehearse(key, meta, data, principal.owner, precondition))
            await self._exchange.put(key, meta, data, principal.owner, precondition)
        return responses.done()

    async def _delete(self, request: Request, key: ObjectKey) -> Response:
        await self._access.check_may_change(await self._access.principal(request), key)
        try:
            await self._exchange.delete(key, conditions.precondition(request))
        except NotFound:
            if self._local.is_cloud:
                return responses.not_found()
            raise InvalidRequest("There is no such object to delete.") from None
        return responses.done()


def _shown_plan(plan: Plan) -> Response:
    shown = {
        "destinations": [
            {
                "destinationType": each.node.type,
                "destinationID": each.node.id,
                "action": each.action,
                "why": each.why,
            }
            for each in plan.destinations
        ],
        "count": plan.count,
        "bytes": plan.payload_bytes,
        "reason": plan.reason,
    }
    return responses.json_of(shown)
