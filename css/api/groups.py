"""`/api/v1/groups/…`: named sets of nodes, to be addressed as a whole."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import NotFound
from common.domain.ids import NodeKey
from common.domain.names import is_valid_segment
from common.domain.selection import ListPosition
from common.rest import responses
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.body import read_body
from common.rest.pages import Piece, answer_list, empty_list
from common.rest.paths import check_names, segments_below
from common.rest.transactions import Transactions
from common.sync.group_changes import Groups
from common.sync.groups import Group
from common.sync.ports import UnitOfWork
from css.api.group_bodies import decode_group

PREFIX = "/api/v1/groups"

_BODY_BYTES = 4 << 20


class GroupsApi:
    """The endpoint. Whoever may list nodes may see groups; administrators of the organization define them."""

    def __init__(self, access: Access, transactions: Transactions, auditor: Auditor, groups: Groups) -> None:
        self._access = access
        self._transactions = transactions
        self._auditor = auditor
        self._groups = groups

    async def handle(self, request: Request) -> Response:
        """`/groups/{org}`, `/groups/{org}/{name}` and `/groups/{org}/{name}/members`."""
        principal = await self._access.principal(request)
        match segments_below(request.scope["path"], PREFIX):
            case [org, *rest] if len(rest) <= 2:
                check_names(organization=org, **{"group": rest[0]} if rest else {})
                self._access.check_may_list_nodes(principal, org)
                if request.method in ("PUT", "DELETE"):
                    self._access.check_may_administer(principal, org)
            case _:
                return responses.empty(400)
        match rest, request.method:
            case [], "GET":
                return await self._list(org)
            case [name], "GET":
                return await self._get(org, name)
            case [name], "PUT":
                return await self._put(request, org, name)
            case [name], "DELETE":
                await self._auditor.change(
                    request, org, "group.remove", name, lambda uow: self._groups.remove(uow, org, name)
                )
                return responses.done()
            case [name, "members"], "GET":
                return await self._members(request, org, name)
            case [_, what], _ if what != "members":
                return responses.empty(400)
            case _:
                return responses.empty(405)

    async def _list(self, org: str) -> Response:
        groups = await self._transactions.read(lambda uow: uow.groups.list_of_org(org))
        shown = [_named(group) | ({"expression": group.expression} if group.expression else {}) for group in groups]
        return responses.json_of(shown)

    async def _get(self, org: str, name: str) -> Response:
        def look_up(uow: UnitOfWork) -> dict[str, object]:
            group = _found(uow, org, name)
            if group.expression is not None:
                return {**_named(group), "expression": group.expression}
            return {**_named(group), "members": [f"{node.type}:{node.id}" for node in uow.groups.listed(org, name)]}

        return responses.json_of(await self._transactions.read(look_up))

    async def _put(self, request: Request, org: str, name: str) -> Response:
        check_names(group=name if is_valid_segment(name) else "")
        expression, listed = decode_group(await read_body(request, _BODY_BYTES), org)
        await self._auditor.change(
            request, org, "group.put", name, lambda uow: self._groups.define(uow, org, name, expression, listed)
        )
        return responses.done()

    async def _members(self, request: Request, org: str, name: str) -> Response:
        async def read(after: ListPosition, limit: int) -> Piece:
            def look_up(uow: UnitOfWork) -> list[NodeKey]:
                _found(uow, org, name)
                beyond = NodeKey(org, *after) if any(after) else None
                return uow.groups.members(org, name, after=beyond, limit=limit)

            nodes = await self._transactions.read(look_up)
            end = ListPosition(*nodes[-1][1:]) if len(nodes) == limit else None
            return Piece([msgspec.json.encode(_shown_node(node)) for node in nodes], end)

        return await answer_list(request, read, empty_list)


def _found(uow: UnitOfWork, org: str, name: str) -> Group:
    group = uow.groups.find(org, name)
    if group is None:
        raise NotFound
    return group


def _named(group: Group) -> dict[str, object]:
    return {"orgID": group.org, "name": group.name}


def _shown_node(node: NodeKey) -> dict[str, str]:
    return {"destinationType": node.type, "destinationID": node.id}
