"""PUT `…/{type}`: a webhook is registered for a type, or removed (rest-api 3.6)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import InvalidRequest
from common.domain.webhooks import checked_url, origin_of
from common.protocol.webhook_request import WebhookAction, WebhookRequest, decode_webhook_request
from common.rest import responses
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.body import read_body
from common.runtime.network_policy import NetworkPolicy, literal_address
from common.sync.webhooks import Registration, Webhooks

_BODY_BYTES = 16 * 1024


class WebhookRegistrations:
    """The endpoint."""

    def __init__(self, access: Access, auditor: Auditor, webhooks: Webhooks, policy: NetworkPolicy) -> None:
        self._access = access
        self._auditor = auditor
        self._webhooks = webhooks
        self._policy = policy

    async def put(self, request: Request, org: str, object_type: str) -> Response:
        await self._access.check_may_register_webhook(await self._access.principal(request), org, object_type)
        asked = decode_webhook_request(await read_body(request, _BODY_BYTES))
        if asked.action is WebhookAction.REGISTER:
            await self._register(request, asked, org, object_type)
        else:
            await self._auditor.change(
                request,
                org,
                "webhook.remove",
                f"{object_type} {origin_of(asked.url)}",
                lambda uow: self._webhooks.unregister(uow, org, object_type, asked.url),
            )
        return responses.done()

    async def _register(self, request: Request, asked: WebhookRequest, org: str, object_type: str) -> None:
        self._check_destination(asked.url)
        wanted = Registration(org, object_type, asked.url, asked.format, asked.secret)
        await self._auditor.change(
            request,
            org,
            "webhook.register",
            f"{object_type} {origin_of(asked.url)}",
            lambda uow: self._webhooks.register(uow, wanted),
        )

    def _check_destination(self, url: str) -> None:
        """What a name leads to is looked at with each call; an address speaks for itself."""
        address = literal_address(checked_url(url).hostname or "")
        if address is not None and not self._policy.allows(address):
            raise InvalidRequest("The address in the url is not one that webhooks may have (WebhookAllowedNetworks).")
