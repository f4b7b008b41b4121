"""`/api/v1/destinations/…`: the registered nodes, and what each of them has been sent (rest-api 3.16, 3.17)."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from common.domain.delivery import Delivery
from common.domain.errors import InvalidRequest
from common.domain.ids import NodeKey
from common.domain.nodes import Node
from common.domain.selection import ListPosition
from common.rest import responses
from common.rest.access import Access
from common.rest.pages import Piece, answer_list
from common.rest.paths import check_names, segments_below
from common.rest.transactions import Transactions

PREFIX = "/api/v1/destinations"

_encode = msgspec.json.Encoder().encode


class NodesApi:
    """The endpoint."""

    def __init__(self, access: Access, transactions: Transactions) -> None:
        self._access = access
        self._transactions = transactions

    async def handle(self, request: Request) -> Response:
        """GET `/destinations/{org}` and `/destinations/{org}/{type}/{id}/objects`."""
        principal = await self._access.principal(request)
        if request.method != "GET":
            return responses.empty(405)
        match segments_below(request.scope["path"], PREFIX):
            case [org]:
                check_names(organization=org)
                self._access.check_may_list_nodes(principal, org)
                return await self._list_nodes(request, org)
            case [org, node_type, node_id, _]:  # whatever the last word is (rest-api 3.17)
                check_names(organization=org)
                self._access.check_may_list_nodes(principal, org)
                return await self._list_objects(request, _node_key(org, node_type, node_id))
            case _:
                return responses.empty(400)

    async def _list_nodes(self, request: Request, org: str) -> Response:
        async def read(after: ListPosition, limit: int) -> Piece:
            nodes = await self._transactions.read(lambda uow: uow.nodes.page_of_org(org, after=after, limit=limit))
            end = ListPosition(*nodes[-1].key[1:]) if len(nodes) == limit else None
            return Piece([_encode(_shown_node(node)) for node in nodes], end)

        return await answer_list(request, read)

    async def _list_objects(self, request: Request, node: NodeKey) -> Response:
        async def read(after: ListPosition, limit: int) -> Piece:
            page = await self._transactions.read(
                lambda uow: uow.deliveries.page_of_node(node, after=after, limit=limit)
            )
            end = ListPosition(*page[-1].object[1:]) if len(page) == limit else None
            return Piece([_encode(_shown_object(delivery)) for delivery in page], end)

        return await answer_list(request, read)


def _node_key(org: str, node_type: str, node_id: str) -> NodeKey:
    if any(character in "<>\0" for character in node_type + node_id):
        raise InvalidRequest("The destination in the path contains characters that are not allowed.")
    return NodeKey(org, node_type, node_id)


def _shown_node(node: Node) -> dict[str, object]:
    return {
        "destinationOrgID": node.key.org,
        "destinationType": node.key.type,
        "destinationID": node.key.id,
        "communication": node.communication,
        "codeVersion": node.code_version,
    }


def _shown_object(delivery: Delivery) -> dict[str, object]:
    key = delivery.object
    return {"orgID": key.org, "objectType": key.type, "objectID": key.id, "status": delivery.status_word}
