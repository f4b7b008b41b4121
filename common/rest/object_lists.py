"""Lists of objects: of an organization, of a type (rest-api 3.1 to 3.5)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from common.domain.delivery import Delivery
from common.domain.objects import SyncObject
from common.domain.principals import Principal
from common.protocol import codec
from common.rest import responses
from common.rest.access import Access
from common.rest.exchange import Exchange
from common.rest.object_operations import shown_destination
from common.rest.paths import flag


class ObjectLists:
    """The endpoints; the path's names are valid."""

    def __init__(self, exchange: Exchange, access: Access) -> None:
        self._exchange = exchange
        self._access = access

    async def of_organization(self, request: Request, org: str) -> Response:
        """GET `/objects/{org}?…`, on the cloud only."""
        await self._access.sees_all(await self._access.principal(request), org, "")
        return responses.empty(400)

    async def of_type(self, request: Request, principal: Principal, org: str, object_type: str) -> Response:
        """GET `/objects/{org}/{type}`: what is to be polled, or everything."""
        has_anything_to_see = await self._access.sees_all(principal, org, object_type)
        try:
            all_objects = flag(request.query_params, "all_objects")
            include_received = flag(request.query_params, "received")
        except ValueError:
            return responses.empty(400)
        if not has_anything_to_see:
            return responses.not_found()
        if all_objects:
            listed = await self._exchange.list_all(org, object_type)
            return responses.json_or_404([_with_destinations(item, deliveries) for item, deliveries in listed])
        metas = await self._exchange.list_updated(org, object_type, include_received=bool(include_received))
        return responses.json_body(codec.encode_metadata_list(metas)) if metas else responses.not_found()


def _with_destinations(item: SyncObject, deliveries: list[Delivery]) -> dict[str, object]:
    shown: dict[str, object] = {"orgID": item.key.org, "objectType": item.key.type, "objectID": item.key.id}
    if item.meta.destination_policy is not None:
        shown["destinationPolicy"] = item.meta.destination_policy
    shown["destinations"] = [shown_destination(delivery) for delivery in deliveries]
    return shown
