"""Who may call, and who changed what: asked for so rarely that what answers is loaded when it is."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from common.domain.publishing import LocalNode
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.endpoint import Handler, route
from common.rest.transactions import Transactions


class Administration:
    """The endpoints that both services have for administrators."""

    def __init__(
        self, local: LocalNode, access: Access, transactions: Transactions, auditor: Auditor, now_ms: Callable[[], int]
    ) -> None:
        self._local = local
        self._access = access
        self._transactions = transactions
        self._auditor = auditor
        self._now_ms = now_ms
        self._accounts: Handler | None = None
        self._audit_log: Handler | None = None

    def routes(self) -> list[Route]:
        """On a cloud also with an organization behind."""
        return [
            route("/api/v1/accounts", self.accounts),
            route("/api/v1/accounts/{path:path}", self.accounts),
            route("/api/v1/audit", self.audit_log),
            route("/api/v1/audit/{path:path}", self.audit_log),
        ]

    async def accounts(self, request: Request) -> Response:
        if self._accounts is None:
            from common.rest.accounts import AccountsApi

            api = AccountsApi(self._local, self._access, self._transactions, self._auditor, self._now_ms)
            self._accounts = api.handle
        return await self._accounts(request)

    async def audit_log(self, request: Request) -> Response:
        if self._audit_log is None:
            from common.rest.audit_log import AuditLogApi

            self._audit_log = AuditLogApi(self._local, self._access, self._transactions).handle
        return await self._audit_log(request)
