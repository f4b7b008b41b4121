"""`/api/v1/audit…`: who changed what, for administrators (docs/accounts.md)."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from common.domain import accounts
from common.domain.errors import Forbidden, InvalidRequest
from common.domain.instants import format_instant
from common.domain.publishing import LocalNode
from common.domain.selection import ListPosition
from common.rest import responses
from common.rest.access import Access
from common.rest.pages import Piece, answer_list, empty_list
from common.rest.paths import check_names, segments_below
from common.rest.transactions import Transactions
from common.sync.audit import AuditEntry, AuditPosition

PREFIX = "/api/v1/audit"


class AuditLogApi:
    """The endpoint. On the cloud `/audit/{org}`, and `/audit` for what concerns no organization; on an edge `/audit`."""

    def __init__(self, local: LocalNode, access: Access, transactions: Transactions) -> None:
        self._local = local
        self._access = access
        self._transactions = transactions

    async def handle(self, request: Request) -> Response:
        """GET: the latest entries first."""
        principal = await self._access.principal(request)
        org = self._org_of(request)
        if not accounts.may_see(principal, org):
            raise Forbidden
        if request.method != "GET":
            return responses.empty(405)

        async def read(after: ListPosition, limit: int) -> Piece:
            before = _position_of(after)
            page = await self._transactions.read(lambda uow: uow.audit.page_of_org(org, before=before, limit=limit))
            end = ListPosition(*map(str, page[-1].position)) if len(page) == limit else None
            return Piece([msgspec.json.encode(_shown(each.entry)) for each in page], end)

        return await answer_list(request, read, empty_list)

    def _org_of(self, request: Request) -> str:
        match segments_below(request.scope["path"], PREFIX), self._local.is_cloud:
            case [], is_cloud:
                return "" if is_cloud else self._local.org
            case [org], True:
                check_names(organization=org)
                return org
            case _:
                raise InvalidRequest("The path has too many parts.")


def _position_of(after: ListPosition) -> AuditPosition | None:
    if not any(after):
        return None
    if not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in after):
        raise InvalidRequest("after has to be what the Link header of the page before says.")
    return AuditPosition(*map(int, after))


def _shown(entry: AuditEntry) -> dict[str, str]:
    return {
        "at": format_instant(entry.at_ms),
        "principal": entry.principal,
        "address": entry.address,
        "action": entry.action,
        "target": entry.target,
        "outcome": entry.outcome.value,
    }
