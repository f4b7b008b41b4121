"""`/api/v1/events/…`: several types of objects in one stream. For one type there is the updated list itself."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import InvalidRequest
from common.domain.publishing import LocalNode
from common.rest import responses
from common.rest.access import Access
from common.rest.paths import check_names, flag, segments_below
from common.rest.updates import Updates

_PREFIX = "/api/v1/events"

#: Types in one stream: a look at the store asks for each.
MOST_TYPES = 32


class EventsApi:
    """The endpoint; with the organization in the path on the cloud, without on an edge."""

    def __init__(self, local: LocalNode, access: Access, updates: Updates) -> None:
        self._local = local
        self._access = access
        self._updates = updates

    async def handle(self, request: Request) -> Response:
        """GET `…?type=a&type=b`. Raises InvalidRequest."""
        segments = segments_below(request.scope["path"], _PREFIX)
        org = segments.pop(0) if self._local.is_cloud and segments else self._local.org
        if segments or not org:
            return responses.empty(400)
        check_names(organization=org)
        if request.method != "GET":
            return responses.empty(405)
        principal = await self._access.principal(request)
        types = [each for each in request.query_params.getlist("type") if each]
        if not 1 <= len(set(types)) <= MOST_TYPES:
            raise InvalidRequest(f"type has to be given 1 to {MOST_TYPES} times.")
        for each in types:
            check_names(object_type=each)
        include_received = flag(request.query_params, "received")
        return await self._updates.stream(request, principal, org, types, bool(include_received))
