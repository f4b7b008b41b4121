"""`/api/v1/placement/{org}`: who places the policy objects of an organization."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from common.rest import responses
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.body import read_body
from common.rest.paths import check_names, segments_below
from common.rest.transactions import Transactions
from common.sync.group_changes import Groups
from css.api.group_bodies import PlacementBody, decode_placement

PREFIX = "/api/v1/placement"

_BODY_BYTES = 4 << 10


class PlacementApi:
    """The endpoint."""

    def __init__(self, access: Access, transactions: Transactions, auditor: Auditor, groups: Groups) -> None:
        self._access = access
        self._transactions = transactions
        self._auditor = auditor
        self._groups = groups

    async def handle(self, request: Request) -> Response:
        """GET and PUT `/placement/{org}`."""
        principal = await self._access.principal(request)
        match segments_below(request.scope["path"], PREFIX):
            case [org]:
                check_names(organization=org)
            case _:
                return responses.empty(400)
        self._access.check_may_list_nodes(principal, org)
        match request.method:
            case "GET":
                engine = await self._transactions.read(lambda uow: uow.placements.engine_of(org))
                return responses.json_of(PlacementBody(engine))
            case "PUT":
                self._access.check_may_administer(principal, org)
                chosen = decode_placement(await read_body(request, _BODY_BYTES))
                await self._auditor.change(
                    request,
                    org,
                    "placement.choose",
                    chosen.value,
                    lambda uow: self._groups.choose_engine(uow, org, chosen),
                )
                return responses.done()
            case _:
                return responses.empty(405)
