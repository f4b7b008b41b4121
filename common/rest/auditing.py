"""Administrative changes leave a trace: in the transaction that makes them, or when they are refused (docs/accounts.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.domain.errors import SyncError
from common.domain.principals import Principal
from common.domain.publishing import LocalNode
from common.rest.transactions import Transactions
from common.rest.vigil import CALLER
from common.runtime.authentication.cache import Remembered
from common.runtime.logs import fields
from common.sync.audit import Actor, AuditEntry, Outcome, audited
from common.sync.ports import UnitOfWork

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Where only administrators may change anything.
_ADMINISTRATIVE = tuple(
    f"/api/v1/{name}"
    for name in (
        "accounts",
        "audit",
        "certificates",
        "destinations",
        "enrolments",
        "groups",
        "organizations",
        "placement",
        "quotas",
        "security",
        "shutdown",
        "webhooks",
    )
)
_READING = frozenset({"GET", "HEAD", "OPTIONS"})

#: Refusals are recorded one at a time, and those that come while so many wait are only logged: a caller who may do nothing
#: must not be able to fill the database, or to keep others from it.
_MOST_WAITING = 20
_LONGEST_TARGET = 300


class Auditor:
    """For those who change something on behalf of a request."""

    def __init__(self, transactions: Transactions, now_ms: Callable[[], int]) -> None:
        self._transactions = transactions
        self._now_ms = now_ms

    async def change(
        self, request: HTTPConnection, org: str, action: str, target: str, work: Callable[[UnitOfWork], T]
    ) -> T:
        """`work` as a transaction, and the entry about it with it. The caller has been recognized."""
        return await self._transactions.write(audited(work, self._entry(request, org, action, target)))

    async def note(
        self, request: HTTPConnection, org: str, action: str, target: str, outcome: Outcome = Outcome.DONE
    ) -> None:
        """The entry alone, about what is no change of the database."""
        entry = self._entry(request, org, action, target, outcome)
        await self._transactions.write(lambda uow: uow.audit.add(entry))

    def _entry(
        self, request: HTTPConnection, org: str, action: str, target: str, outcome: Outcome = Outcome.DONE
    ) -> AuditEntry:
        return actor_of(request).did(self._now_ms(), org, action, _storable(target), outcome)


class RefusalLog:
    """ASGI middleware: known callers who try to change what they may not are remembered."""

    def __init__(self, app: ASGIApp, auditor: Auditor, local: LocalNode) -> None:
        self._app = app
        self._auditor = auditor
        self._local = local
        self._waiting = 0
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READING or not scope["path"].startswith(_ADMINISTRATIVE):
            await self._app(scope, receive, send)
            return

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 403 and CALLER in scope:
                await self._refused(HTTPConnection(scope))
            await send(message)

        await self._app(scope, receive, watch)

    async def _refused(self, request: HTTPConnection) -> None:
        caller: Remembered = request.scope[CALLER]
        principal, method, path = caller.principal, request.scope["method"], request.scope["path"]
        log.warning("administration_refused", extra=fields(principal=named(principal), method=method, path=path))
        if self._waiting >= _MOST_WAITING:
            return
        # In the log of those who know the caller: the organization in a path is only what he claims.
        org = principal.org if self._local.is_cloud else self._local.org
        self._waiting += 1
        try:
            async with self._turn:
                await self._auditor.note(request, org, method, path, Outcome.REFUSED)
        except SyncError as error:
            log.warning("refusal_not_recorded", extra=fields(error=str(error)))
        finally:
            self._waiting -= 1


def actor_of(request: HTTPConnection) -> Actor:
    """The recognized caller of a request."""
    caller: Remembered = request.scope[CALLER]
    return Actor(named(caller.principal), request.client.host if request.client else "")


def named(principal: Principal) -> str:
    """As the log has it: role, organization and name."""
    return f"{principal.role.value} {principal.org}/{principal.identity}"


def _storable(text: str) -> str:
    """No more than anybody reads, and no NUL, which PostgreSQL has no place for."""
    return text[:_LONGEST_TARGET].replace("\0", "\N{REPLACEMENT CHARACTER}")
