"""May this caller do that? Asked by every endpoint of the application interface: `domain.access` decides, this brings it
what is stored about the case.

Access lists are read for each decision, so a change counts from the next request on, on every replica.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from starlette.requests import Request

from common.domain import access
from common.domain.access import Operation, Question, Visibility
from common.domain.access_lists import NO_GRANTS, Grantee, Grants, addressed_types
from common.domain.ids import ObjectKey
from common.domain.metadata import Metadata
from common.domain.principals import Principal, Role
from common.domain.publishing import LocalNode
from common.rest.gate import Gate
from common.rest.transactions import Transactions
from common.sync.ports import UnitOfWork

#: What the entries of access lists say about a caller, read in the transaction that needs to know.
GrantsOf = Callable[[UnitOfWork, Grantee], Grants]


class Access:
    """Checks that raise NotAuthenticated or Forbidden."""

    def __init__(self, local: LocalNode, gate: Gate, transactions: Transactions) -> None:
        self._local = local
        self._gate = gate
        self._transactions = transactions

    async def principal(self, request: Request) -> Principal:
        return await self._gate.principal(request)

    def forget_callers(self) -> None:
        """Credentials were changed: the next request is to notice."""
        self._gate.forget_all()

    def until_revoked(self, request: Request) -> AbstractContextManager[None]:
        """What is waited for inside ends with NotAuthenticated when the request's credentials no longer count."""
        return self._gate.until_revoked(request)

    def hold(self, request: Request, end: Callable[[], None]) -> AbstractContextManager[None]:
        """Inside, `end` is called when the request's credentials no longer count."""
        return self._gate.hold(request, end)

    async def visibility(self, principal: Principal, org: str) -> Visibility:
        """What lists of this organization show. Raises Forbidden for those who are shown nothing."""
        grants = await self._grants(principal, org, lambda uow, grantee: uow.access_lists.object_grants(grantee))
        return access.visibility(principal, org, self._local, grants)

    async def check_may_read(self, principal: Principal, key: ObjectKey) -> None:
        """Metadata, status, destinations and data of one object, which may be public."""
        await self._check_object(Operation.READ_OBJECT, principal, key)

    async def check_may_mark(self, principal: Principal, key: ObjectKey) -> None:
        """received, consumed and policyreceived: what is not for everybody who may merely read it."""
        await self._check_object(Operation.MARK_OBJECT, principal, key)

    async def check_may_confirm_deletion(self, principal: Principal, key: ObjectKey) -> None:
        """deleted: also for a service that the policy has dropped."""
        await self._check_object(Operation.CONFIRM_DELETION, principal, key)

    async def check_may_write(self, principal: Principal, key: ObjectKey, meta: Metadata | None) -> None:
        """May create or change an object that says `meta`. Without it, whether that could be allowed at all."""
        types = addressed_types(meta) if meta else frozenset()
        grants = await self._grants(
            principal, key.org, lambda uow, grantee: uow.access_lists.grants(grantee, key.type, types)
        )
        self._check(Operation.WRITE_OBJECT, principal, key.org, object_type=key.type, meta=meta, grants=grants)

    async def check_may_change(self, principal: Principal, key: ObjectKey) -> None:
        """May change, activate, redirect or delete the object as it is stored; also answers for one that is not there."""
        if access.grantee(principal, key.org, self._local) is None:
            self._check(Operation.WRITE_OBJECT, principal, key.org, object_type=key.type)
            return
        stored = await self._transactions.read(lambda uow: uow.objects.find(key))
        await self.check_may_write(principal, key, stored.meta if stored else None)

    async def check_may_register_webhook(self, principal: Principal, org: str, object_type: str) -> None:
        """May have webhooks called for objects of this type, or no longer (rest-api 2.3)."""
        grants = await self._grants(
            principal, org, lambda uow, grantee: uow.access_lists.grants(grantee, object_type, ())
        )
        self._check(Operation.REGISTER_WEBHOOK, principal, org, object_type=object_type, grants=grants)

    async def check_may_manage_webhooks(self, principal: Principal, org: str) -> None:
        """May see the queues of an organization's webhooks, and say what becomes of dead letters."""
        self.check_may_administer(principal, org)

    def check_may_administer(self, principal: Principal, org: str) -> None:
        """May see and change what only administrators of the organization do: itself, its access lists."""
        self._check(Operation.ADMINISTER, principal, org)

    def check_may_list_organizations(self, principal: Principal) -> None:
        self._check(Operation.LIST_ORGANIZATIONS, principal)

    def check_may_list_nodes(self, principal: Principal, org: str) -> None:
        self._check(Operation.LIST_NODES, principal, org)

    def check_may_use_api(self, principal: Principal) -> None:
        """Anybody but nodes, who have an interface of their own."""
        self._check(Operation.USE_API, principal)

    def check_may_resend(self, principal: Principal) -> None:
        self._check(Operation.RESEND, principal, self._local.org)

    def check_may_set_quotas(self, principal: Principal) -> None:
        self._check(Operation.SET_QUOTAS, principal)

    def check_may_shut_down(self, principal: Principal) -> None:
        self._check(Operation.SHUT_DOWN, principal)

    async def _check_object(self, operation: Operation, principal: Principal, key: ObjectKey) -> None:
        """One transaction brings the object and what the lists say, or none where nobody needs to know."""
        grantee = access.grantee(principal, key.org, self._local)
        question = Question(operation, principal, self._local, key.org, key.type)
        if grantee is None and principal.role is not Role.SERVICE and access.may(question):
            return

        def look_up(uow: UnitOfWork) -> Question:
            grants = uow.access_lists.grants(grantee, key.type, ()) if grantee else NO_GRANTS
            return Question(operation, principal, self._local, key.org, key.type, uow.objects.find(key), grants=grants)

        access.check(await self._transactions.read(look_up))

    async def _grants(self, principal: Principal, org: str, look_up: GrantsOf) -> Grants:
        grantee = access.grantee(principal, org, self._local)
        if grantee is None:
            return NO_GRANTS
        return await self._transactions.read(lambda uow: look_up(uow, grantee))

    def _check(
        self,
        operation: Operation,
        principal: Principal,
        org: str = "",
        *,
        object_type: str = "",
        meta: Metadata | None = None,
        grants: Grants = NO_GRANTS,
    ) -> None:
        access.check(Question(operation, principal, self._local, org, object_type, meta=meta, grants=grants))
