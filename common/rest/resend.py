"""`/api/v1/resend`: an edge wants everything again (rest-api 3.20)."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import InvalidRequest
from common.rest import responses
from common.rest.access import Access
from common.rest.transactions import Transactions
from common.sync.ports import UnitOfWork


class ResendApi:
    """The endpoint; without a use case it is the cloud's, which has nobody to ask."""

    def __init__(self, access: Access, transactions: Transactions, want: Callable[[UnitOfWork], None] | None) -> None:
        self._access = access
        self._transactions = transactions
        self._want = want

    async def handle(self, request: Request) -> Response:
        """POST; PUT as well, which is what a known client sends. 204 means noted, whether the cloud can be reached or not."""
        principal = await self._access.principal(request)
        self._access.check_may_resend(principal)
        if request.method not in ("POST", "PUT"):
            return responses.empty(405)
        if self._want is None:
            raise InvalidRequest("Only an edge can ask for everything again.")
        await self._transactions.write(self._want)
        return responses.done()
