"""`/api/v1/quotas/{org}`: what an organization keeps, and the most it may."""

from __future__ import annotations

from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import InvalidRequest
from common.domain.quotas import QuotaOverride
from common.rest import responses
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.body import read_body
from common.rest.paths import check_names, segments_below
from common.rest.transactions import Transactions
from common.sync import wakeups
from common.sync.ports import UnitOfWork
from common.sync.quotas import Quotas

PREFIX = "/api/v1/quotas"

_BODY_BYTES = 4 << 10

#: Beyond what any store holds, and within what every client can count to.
Limit = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class QuotaBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A quota: 0 sets no limit, what is null or left out is as the service's settings say."""

    objects: Limit | None = None
    payload_bytes: Limit | None = None


class QuotaState(msgspec.Struct, frozen=True):
    """One kind of thing that is limited."""

    used: int
    #: null without one.
    limit: int | None
    #: Is the limit that of the settings?
    default: bool


class QuotaStates(msgspec.Struct, frozen=True, rename={"org_id": "orgID", "payload_bytes": "payloadBytes"}):
    """What an organization keeps, and the most it may."""

    org_id: str
    objects: QuotaState
    payload_bytes: QuotaState


_decode = msgspec.json.Decoder(QuotaBody).decode


class QuotasApi:
    """The endpoint. Administrators of an organization see its quota, those of the service set it."""

    def __init__(self, access: Access, transactions: Transactions, auditor: Auditor, quotas: Quotas) -> None:
        self._access = access
        self._transactions = transactions
        self._auditor = auditor
        self._quotas = quotas

    async def handle(self, request: Request) -> Response:
        """GET, PUT and DELETE `/quotas/{org}`."""
        principal = await self._access.principal(request)
        match segments_below(request.scope["path"], PREFIX):
            case [org]:
                check_names(organization=org)
            case _:
                return responses.empty(400)
        self._access.check_may_administer(principal, org)
        if request.method == "GET":
            return responses.json_of(await self._transactions.read(lambda uow: self._state(uow, org)))
        self._access.check_may_set_quotas(principal)
        match request.method:
            case "PUT":
                await self._set(request, org, _override_from(await read_body(request, _BODY_BYTES)))
            case "DELETE":
                await self._set(request, org, None)
            case _:
                return responses.empty(405)
        return responses.done()

    async def _set(self, request: Request, org: str, override: QuotaOverride | None) -> None:
        def change(uow: UnitOfWork) -> list[str]:
            if override is None:
                uow.quotas.remove(org)
            else:
                uow.quotas.save(org, override)
            uow.wake(wakeups.QUOTAS)
            return uow.quotas.list_orgs()

        action = "quota.reset" if override is None else "quota.set"
        # Known here with the answer, by other replicas a moment later.
        self._quotas.know(await self._auditor.change(request, org, action, org, change))

    def _state(self, uow: UnitOfWork, org: str) -> QuotaStates:
        override = uow.quotas.find(org) or QuotaOverride()
        quota, usage = override.over(self._quotas.default), uow.usage.of_org(org)
        return QuotaStates(
            org,
            QuotaState(usage.objects, quota.objects or None, override.objects is None),
            QuotaState(usage.payload_bytes, quota.payload_bytes or None, override.payload_bytes is None),
        )


def _override_from(raw: bytes) -> QuotaOverride:
    try:
        body = _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is not as expected: {error}") from error
    return QuotaOverride(body.objects, body.payload_bytes)
