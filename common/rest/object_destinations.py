"""`…/{id}/destinations`: who gets an object, how far each of them is, and changes by hand (rest-api 3.13, 3.14)."""

from __future__ import annotations

from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from common.domain.addressing import parse_destination
from common.domain.delivery import Delivery
from common.domain.errors import InvalidRequest
from common.domain.ids import NodeKey, ObjectKey
from common.domain.publishing import LocalNode
from common.protocol import lenient_json
from common.rest import responses
from common.rest.body import read_body
from common.rest.transactions import Transactions
from common.sync.fan_out import FanOuts
from common.sync.placement import Placement
from common.sync.ports import UnitOfWork

_CHANGE = lenient_json.Shape(dict.fromkeys(("action", "destinations")))


class _Change(Protocol):
    def __call__(self, uow: UnitOfWork, key: ObjectKey, nodes: list[NodeKey]) -> None: ...


class ObjectDestinations:
    """The endpoints; callers are known and allowed. An edge's objects go to the cloud, which nobody can change."""

    def __init__(
        self, local: LocalNode, transactions: Transactions, fan_outs: FanOuts, placement: Placement, body_bytes: int
    ) -> None:
        self._local = local
        self._transactions = transactions
        self._fan_outs = fan_outs
        self._placement = placement
        self._body_bytes = body_bytes

    async def get(self, request: Request, key: ObjectKey) -> Response:
        if not self._local.is_cloud:
            return responses.not_found()
        deliveries = await self._transactions.read(lambda uow: self._fan_outs.destinations(uow, key))
        return responses.json_or_404([shown_destination(delivery) for delivery in deliveries])

    async def replace(self, request: Request, key: ObjectKey) -> Response:
        """PUT: a list of `type:id`; null is an empty one."""
        if not self._local.is_cloud:
            await self._transactions.read(lambda uow: uow.objects.get(key))
        self._check_can_change()
        nodes = _nodes(lenient_json.loads_first(await read_body(request, self._body_bytes)), key.org)
        return await self._apply(self._placement.replace, key, nodes)

    async def change(self, request: Request, key: ObjectKey) -> Response:
        """POST: `action` is add or remove, in any case."""
        self._check_can_change()
        body = _CHANGE.fold_object(await read_body(request, self._body_bytes))
        action = body.get("action")
        changes: dict[str, _Change] = {"add": self._placement.add, "remove": self._placement.remove}
        change = changes.get(action.lower()) if isinstance(action, str) else None
        if change is None:
            raise InvalidRequest("action has to be add or remove.")
        return await self._apply(change, key, _nodes(body.get("destinations"), key.org))

    async def _apply(self, change: _Change, key: ObjectKey, nodes: list[NodeKey]) -> Response:
        await self._transactions.write(lambda uow: change(uow, key, nodes))
        return responses.done()

    def _check_can_change(self) -> None:
        if not self._local.is_cloud:
            raise InvalidRequest("Objects of an edge go to the cloud; only the cloud has destinations to change.")


def shown_destination(delivery: Delivery) -> dict[str, object]:
    """One entry of `GET …/destinations`."""
    return {
        "destinationType": delivery.node.type,
        "destinationID": delivery.node.id,
        "status": delivery.status_word,
        "message": delivery.message,
    }


def _nodes(value: Any, org: str) -> list[NodeKey]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise InvalidRequest('Destinations have to be a JSON list of texts: ["type:id", …].')
    return [parse_destination(org, text) for text in value]
