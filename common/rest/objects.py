"""`/api/v1/objects/…`: the application's view of objects, the same on cloud and edge but for the organization in the path.

One endpoint takes the whole subtree, because the reference splits the decoded path itself: an encoded slash separates,
one trailing slash is ignored, operation words match in any case (rest-api 1.2).
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from common.domain.ids import ObjectKey
from common.domain.publishing import LocalNode
from common.rest import responses
from common.rest.access import Access
from common.rest.object_lists import ObjectLists
from common.rest.object_operations import ObjectOperations
from common.rest.object_record import ObjectRecord
from common.rest.paths import check_names, segments_below
from common.rest.webhooks import WebhookRegistrations

PREFIX = "/api/v1/objects"


class ObjectsApi:
    """The endpoint: from a path to who answers it."""

    def __init__(
        self,
        local: LocalNode,
        access: Access,
        lists: ObjectLists,
        record: ObjectRecord,
        operations: ObjectOperations,
        webhooks: WebhookRegistrations,
    ) -> None:
        self._local = local
        self._access = access
        self._lists = lists
        self._record = record
        self._operations = operations
        self._webhooks = webhooks

    async def handle(self, request: Request) -> Response:
        """Any method, any path below PREFIX."""
        segments = segments_below(request.scope["path"], PREFIX)
        org = self._local.org
        if self._local.is_cloud:
            if not segments:
                return responses.empty(400)
            org, *segments = segments
        match segments:
            case []:
                return await self._organization(request, org)
            case [object_type]:
                return await self._type(request, org, object_type)
            case [object_type, object_id]:
                return await self._record.handle(request, _key(org, object_type, object_id))
            case [object_type, object_id, operation]:
                return await self._operations.handle(request, _key(org, object_type, object_id), operation.lower())
            case _:
                return responses.empty(400)

    async def _organization(self, request: Request, org: str) -> Response:
        check_names(organization=org)
        if request.method != "GET":
            return responses.empty(405)
        return await self._lists.of_organization(request, org)

    async def _type(self, request: Request, org: str, object_type: str) -> Response:
        check_names(organization=org, object_type=object_type)
        match request.method:
            case "GET":
                principal = await self._access.principal(request)
                return await self._lists.of_type(request, principal, org, object_type)
            case "PUT":
                return await self._webhooks.put(request, org, object_type)
            case _:
                return responses.empty(405)


def _key(org: str, object_type: str, object_id: str) -> ObjectKey:
    check_names(organization=org, object_type=object_type, object_ID=object_id)
    return ObjectKey(org, object_type, object_id)
