"""`…/{id}/{operation}`: an object's status and destinations, and what applications do with it (rest-api 3.12 to 3.15)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from common.domain.delivery import Delivery
from common.domain.errors import InvalidRequest
from common.domain.ids import ObjectKey
from common.domain.publishing import LocalNode
from common.rest import responses
from common.rest.access import Access
from common.rest.exchange import Exchange
from common.rest.object_data import ObjectData

Operation = Callable[[Request, ObjectKey], Awaitable[Response]]


class ObjectOperations:
    """The endpoints."""

    def __init__(self, local: LocalNode, exchange: Exchange, access: Access, data: ObjectData) -> None:
        self._local = local
        self._exchange = exchange
        self._access = access
        self._operations: dict[str, dict[str, Operation]] = {
            "data": {"GET": data.get, "PUT": data.put},
            "status": {"GET": self._get_status},
            "destinations": {"GET": self._get_destinations, "PUT": _not_yet, "POST": _not_yet},
            "received": {"PUT": self._marking(exchange.mark_received)},
            "consumed": {"PUT": self._marking(exchange.mark_consumed)},
            "deleted": {"PUT": self._marking(exchange.mark_deleted)},
            "activate": {"PUT": _not_yet},
            "policyreceived": {"PUT": _not_yet},
        }

    async def handle(self, request: Request, key: ObjectKey, operation: str) -> Response:
        principal = await self._access.principal(request)
        methods = self._operations.get(operation)
        if methods is None:
            return responses.empty(400)
        endpoint = methods.get(request.method)
        if endpoint is None:
            return responses.empty(405)
        await self._access.check_may_read(principal, key)
        if request.method == "PUT" and operation == "data":
            await self._access.check_may_write(principal, key, None)
        return await endpoint(request, key)

    async def _get_status(self, request: Request, key: ObjectKey) -> Response:
        return responses.word((await self._exchange.get(key)).status)

    async def _get_destinations(self, request: Request, key: ObjectKey) -> Response:
        if not self._local.is_cloud:
            return responses.not_found()
        return responses.json_or_404([shown_destination(d) for d in await self._exchange.destinations(key)])

    @staticmethod
    def _marking(mark: Callable[[ObjectKey], Awaitable[None]]) -> Operation:
        async def endpoint(request: Request, key: ObjectKey) -> Response:
            await mark(key)
            return responses.done()

        return endpoint


async def _not_yet(request: Request, key: ObjectKey) -> Response:
    # An empty refusal would pass for success with one of the known clients (rest-api 1.4).
    raise InvalidRequest("This operation is not supported by this version.")


def shown_destination(delivery: Delivery) -> dict[str, object]:
    """One entry of `GET …/destinations`."""
    return {
        "destinationType": delivery.node.type,
        "destinationID": delivery.node.id,
        "status": delivery.status_word,
        "message": delivery.message,
    }
