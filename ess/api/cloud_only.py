"""What only the cloud serves, asked of an edge: those who might ask there are told so, others are denied (rest-api 1.1)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import InvalidRequest
from common.rest import responses
from common.rest.access import Access
from common.rest.paths import check_names, segments_below

ORGANIZATIONS = "/api/v1/organizations"


class CloudOnly:
    """The endpoints."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def destinations(self, request: Request) -> Response:
        return responses.empty(400)

    async def organizations(self, request: Request) -> Response:
        """The list, and changes of one."""
        match segments_below(request.scope["path"], ORGANIZATIONS):
            case []:
                self._access.check_may_list_organizations(await self._access.principal(request))
                is_known = request.method == "GET"
            case [org]:
                check_names(organization=org)
                self._access.check_may_administer(await self._access.principal(request), org)
                is_known = request.method in ("PUT", "DELETE")
            case _:
                is_known = True
        if not is_known:
            return responses.empty(405)
        raise InvalidRequest("Organizations are managed on the cloud.")
