"""May this caller do that? Asked by every endpoint of the application interface, answered from one place."""

from __future__ import annotations

from starlette.requests import Request

from common.domain.errors import Forbidden
from common.domain.ids import ObjectKey
from common.domain.metadata import Metadata
from common.domain.principals import Principal, Role, check_may_read, check_may_write, sees_all
from common.domain.publishing import LocalNode
from common.rest.exchange import Exchange
from common.rest.gate import Gate


class Access:
    """Checks that raise NotAuthenticated or Forbidden."""

    def __init__(self, local: LocalNode, gate: Gate, exchange: Exchange) -> None:
        self._local = local
        self._gate = gate
        self._exchange = exchange

    async def principal(self, request: Request) -> Principal:
        return await self._gate.principal(request)

    async def sees_all(self, principal: Principal, org: str, object_type: str) -> bool:
        """Every object of this type, or public ones only? Raises Forbidden for those who see neither."""
        return sees_all(principal, org, object_type, self._local)

    async def check_may_read(self, principal: Principal, key: ObjectKey) -> None:
        """To a service an unknown object is forbidden, not missing (rest-api 2.2)."""
        check_may_read(principal, key.org, key.type, self._local)
        if principal.role is Role.SERVICE and await self._exchange.find(key) is None:
            raise Forbidden

    async def check_may_write(self, principal: Principal, key: ObjectKey, meta: Metadata | None) -> None:
        """May create, change or delete the object. `meta` says to whom it is addressed; None: nothing is stored yet."""
        check_may_write(principal, key.org, key.type, self._local)
