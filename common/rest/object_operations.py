"""`…/{id}/{operation}`: an object's status and destinations, and what applications do with it (rest-api 3.12 to 3.15)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from common.domain.ids import ObjectKey
from common.domain.principals import Principal
from common.domain.publishing import LocalNode
from common.rest import responses
from common.rest.access import Access
from common.rest.exchange import Exchange
from common.rest.object_data import ObjectData
from common.rest.object_destinations import ObjectDestinations
from common.rest.transactions import Transactions
from common.sync.dropped_services import confirm_dropped
from common.sync.lifecycle import Lifecycle
from common.sync.ports import UnitOfWork
from common.sync.receiver import Receiver

Operation = Callable[[Request, ObjectKey], Awaitable[Response]]
Check = Callable[[Principal, ObjectKey], Awaitable[None]]


class ObjectOperations:
    """The endpoints."""

    def __init__(
        self,
        local: LocalNode,
        exchange: Exchange,
        access: Access,
        data: ObjectData,
        destinations: ObjectDestinations,
        transactions: Transactions,
        receiver: Receiver,
        lifecycle: Lifecycle,
    ) -> None:
        self._exchange = exchange
        self._access = access
        self._transactions = transactions
        self._receiver = receiver
        self._operations: dict[str, dict[str, Operation]] = {
            "data": {"GET": data.get, "PUT": data.put},
            "status": {"GET": self._get_status},
            "destinations": {"GET": destinations.get, "PUT": destinations.replace, "POST": destinations.change},
            "received": {"PUT": self._transaction(receiver.received_by_application)},
            "consumed": {"PUT": self._transaction(receiver.consumed_by_application)},
            "deleted": {"PUT": self._confirm_deletion},
            "activate": {"PUT": self._transaction(lifecycle.activate)},
            "policyreceived": {"PUT": _refused},
        }
        if local.is_cloud:
            self._operations["policyreceived"] = {"PUT": self._transaction(lifecycle.mark_policy_received)}

    async def handle(self, request: Request, key: ObjectKey, operation: str) -> Response:
        principal = await self._access.principal(request)
        methods = self._operations.get(operation)
        if methods is None:
            return responses.empty(400)
        endpoint = methods.get(request.method)
        if endpoint is None:
            return responses.empty(405)
        for check in self._checks(request.method, operation):
            await check(principal, key)
        return await endpoint(request, key)

    def _checks(self, method: str, operation: str) -> tuple[Check, ...]:
        access = self._access
        if method in ("GET", "HEAD"):
            return (access.check_may_read,)
        match operation:
            case "data":
                return access.check_may_read, access.check_may_change
            case "destinations":
                return (access.check_may_change,)
            case "activate":
                return access.check_may_mark, access.check_may_change
            case "deleted":
                return (access.check_may_confirm_deletion,)
            case _:
                return (access.check_may_mark,)

    async def _confirm_deletion(self, request: Request, key: ObjectKey) -> Response:
        service = (await self._access.principal(request)).service

        def confirm(uow: UnitOfWork) -> None:
            if service is None or not confirm_dropped(uow, key, service):
                self._receiver.deletion_confirmed_by_application(uow, key)

        await self._transactions.write(confirm)
        return responses.done()

    async def _get_status(self, request: Request, key: ObjectKey) -> Response:
        return responses.word((await self._exchange.get(key)).status)

    def _transaction(self, use_case: Callable[[UnitOfWork, ObjectKey], None]) -> Operation:
        async def endpoint(request: Request, key: ObjectKey) -> Response:
            await self._transactions.write(lambda uow: use_case(uow, key))
            return responses.done()

        return endpoint


async def _refused(request: Request, key: ObjectKey) -> Response:
    return responses.empty(400)
