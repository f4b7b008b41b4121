"""Lists of objects: of an organization, of a type (rest-api 3.1 to 3.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from common.domain.access import Visibility
from common.domain.delivery import STATUS_WORDS
from common.domain.metadata import Policy
from common.domain.principals import Principal
from common.domain.publishing import LocalNode
from common.domain.selection import ListPosition, Selection
from common.protocol import codec
from common.rest import responses
from common.rest.access import Access
from common.rest.list_queries import filter_selection, policy_selection
from common.rest.pages import Answer, Piece, Read, answer_list
from common.rest.paths import Malformed, first, flag
from common.rest.transactions import Transactions
from common.rest.updates import Updates
from common.sync import lists
from common.sync.fan_out import FanOuts
from common.sync.lists import WithDestinations
from common.sync.ports import UnitOfWork

#: Reads a piece of a list in one transaction, and encodes it.
Look: TypeAlias = Callable[[UnitOfWork, ListPosition, int], Piece]


class ObjectLists:
    """The endpoints; the path's names are valid."""

    def __init__(
        self, local: LocalNode, access: Access, transactions: Transactions, fan_outs: FanOuts, updates: Updates
    ) -> None:
        self._local = local
        self._access = access
        self._transactions = transactions
        self._updates = updates
        #: Only the cloud has destinations to show.
        self._fan_outs = fan_outs if local.is_cloud else None
        #: By selector, in the order in which these are looked at.
        self._of_organization: dict[str, Callable[[Request, str, Visibility], Awaitable[Response]]] = {
            "destination_policy": self._with_policy,
            "filters": self._filtered,
            "list_object_type": self._types,
        }

    async def of_organization(self, request: Request, org: str) -> Response:
        """GET `/objects/{org}?…`, on the cloud only."""
        visible = await self._access.visibility(await self._access.principal(request), org)
        selector = _selected(request.query_params, self._of_organization)
        if selector is None or not self._local.is_cloud:
            return responses.empty(400)
        return await self._of_organization[selector](request, org, visible)

    async def of_type(self, request: Request, principal: Principal, org: str, object_type: str) -> Response:
        """GET `/objects/{org}/{type}`: what is to be polled, or everything."""
        visible = await self._access.visibility(principal, org)
        all_objects = flag(request.query_params, "all_objects")
        include_received = flag(request.query_params, "received")
        if all_objects:
            return await answer_list(request, self._with_destinations(Selection(org, object_type), visible))
        return await self._updates.handle(request, principal, org, object_type, bool(include_received))

    async def _with_policy(self, request: Request, org: str, visible: Visibility) -> Response:
        selection = policy_selection(request.query_params, org)
        read = self._with_destinations(selection, visible)
        return await answer_list(request, read, self._when_empty(selection))

    async def _filtered(self, request: Request, org: str, visible: Visibility) -> Response:
        selection = filter_selection(request.query_params, org)

        def look(uow: UnitOfWork, after: ListPosition, limit: int) -> Piece:
            page = lists.objects_page(uow, selection, visible, after, limit)
            return Piece([codec.encode_metadata(item.meta) for item in page.items], page.end)

        return await answer_list(request, self._reading(look), self._when_empty(selection))

    async def _types(self, request: Request, org: str, visible: Visibility) -> Response:
        def look(uow: UnitOfWork, after: ListPosition, limit: int) -> Piece:
            page = lists.types_page(uow, org, visible, after.type, limit)
            return Piece([msgspec.json.encode(name) for name in page.items], page.end)

        return await answer_list(request, self._reading(look), self._when_empty(Selection(org)))

    def _with_destinations(self, selection: Selection, visible: Visibility) -> Read:
        def look(uow: UnitOfWork, after: ListPosition, limit: int) -> Piece:
            page = lists.destinations_page(uow, self._fan_outs, selection, visible, after, limit)
            return Piece([_encoded(each) for each in page.items], page.end)

        return self._reading(look)

    def _reading(self, look: Look) -> Read:
        async def read(after: ListPosition, limit: int) -> Piece:
            return await self._transactions.read(lambda uow: look(uow, after, limit))

        return read

    def _when_empty(self, selection: Selection) -> Answer:
        """404 when there is nothing, an empty list when the caller is merely not shown it (rest-api 7.1)."""

        async def answer() -> Response:
            is_hidden = await self._transactions.read(lambda uow: lists.has_any(uow, selection))
            return responses.json_body(b"[]") if is_hidden else responses.not_found()

        return answer


class _Destination(msgspec.Struct, gc=False, rename={"type": "destinationType", "id": "destinationID"}):
    type: str
    id: str
    status: str
    message: str


class _Listed(
    msgspec.Struct, rename={"org": "orgID", "type": "objectType", "id": "objectID", "policy": "destinationPolicy"}
):
    org: str
    type: str
    id: str
    policy: Policy | msgspec.UnsetType
    destinations: list[_Destination]


def _encoded(listed: WithDestinations) -> bytes:
    policy = listed.item.meta.destination_policy
    destinations = [
        _Destination(each.node_type, each.node_id, STATUS_WORDS[each.state], each.message)
        for each in listed.destinations
    ]
    return msgspec.json.encode(_Listed(*listed.item.key, msgspec.UNSET if policy is None else policy, destinations))


def _selected(query: QueryParams, selectors: Iterable[str]) -> str | None:
    """The first selector that has a value, if it is true. The others do not matter then."""
    name = next((name for name in selectors if first(query, name)), None)
    try:
        return name if name and flag(query, name) else None
    except Malformed:
        return None
