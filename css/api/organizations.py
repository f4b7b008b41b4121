"""`/api/v1/organizations/…`: the tenants (rest-api 3.18)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import InvalidRequest
from common.domain.organizations import Organization
from common.domain.principals import Principal, Role
from common.protocol import lenient_json
from common.rest import responses
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.body import read_body
from common.rest.paths import check_names, segments_below
from common.rest.transactions import Transactions
from common.sync.ports import UnitOfWork
from css.services.organizations import Organizations

PREFIX = "/api/v1/organizations"

_BODY_BYTES = 64 * 1024
_BODY = lenient_json.Shape(dict.fromkeys(("orgID", "user", "password", "address")))


class OrganizationsApi:
    """The endpoint. A cloud with a configured organization serves that one, and lets nobody change it."""

    def __init__(
        self,
        access: Access,
        transactions: Transactions,
        auditor: Auditor,
        organizations: Organizations,
        configured_org: str,
    ) -> None:
        self._access = access
        self._transactions = transactions
        self._auditor = auditor
        self._organizations = organizations
        self._configured_org = configured_org

    async def handle(self, request: Request) -> Response:
        """GET `/organizations`; PUT and DELETE `/organizations/{org}`."""
        match segments_below(request.scope["path"], PREFIX):
            case []:
                return await self._list(request)
            case [org]:
                return await self._change(request, org)
            case _:
                await self._access.principal(request)
                return responses.empty(400)

    async def _list(self, request: Request) -> Response:
        principal = await self._access.principal(request)
        self._access.check_may_list_organizations(principal)
        if request.method != "GET":
            return responses.empty(405)
        known = await self._known()
        if not known:
            return responses.not_found()
        return responses.json_of([_shown(each) for each in known if _is_shown_to(principal, each)])

    async def _change(self, request: Request, org: str) -> Response:
        check_names(organization=org)
        principal = await self._access.principal(request)
        if request.method not in ("PUT", "DELETE"):
            return responses.empty(405)
        self._access.check_may_administer(principal, org)
        if self._configured_org:
            raise InvalidRequest("This cloud serves the one organization of its configuration.")
        if request.method == "PUT":
            organization = _organization_from(await read_body(request, _BODY_BYTES), org)
            await self._auditor.change(
                request, org, "organization.put", org, lambda uow: self._organizations.register(uow, organization)
            )
        else:
            await self._remove(request, org)
        return responses.done()

    async def _remove(self, request: Request, org: str) -> None:
        def remove_page(uow: UnitOfWork) -> bool:
            return self._organizations.remove_page(uow, org)

        has_more = await self._auditor.change(request, org, "organization.remove", org, remove_page)
        while has_more:
            has_more = await self._transactions.write(remove_page)

    async def _known(self) -> list[Organization]:
        if self._configured_org:
            return [Organization(self._configured_org)]
        return await self._transactions.read(lambda uow: uow.organizations.list_all())


def _is_shown_to(principal: Principal, organization: Organization) -> bool:
    return principal.role is Role.SYNC_ADMIN or principal.org == organization.org


def _shown(organization: Organization) -> dict[str, object]:
    """Users and passwords are never told; the name differs from that of a request (rest-api 3.18)."""
    return {"org-id": organization.org, "address": organization.address}


def _organization_from(raw: bytes, org: str) -> Organization:
    body = _BODY.fold_object(raw)
    if not all(isinstance(value, str) and "\0" not in value for value in body.values()):
        raise InvalidRequest("orgID, user, password and address have to be texts.")
    if body.get("orgID") != org:
        raise InvalidRequest("orgID is missing or differs from the path.")
    return Organization(org, body.get("user", ""), body.get("password", ""), body.get("address", ""))
