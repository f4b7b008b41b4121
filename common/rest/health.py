"""Is the service well? `/api/v1/health` for people and the reference's clients, `/livez` and `/readyz` for supervisors."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from common.domain.errors import SyncError
from common.domain.publishing import LocalNode
from common.rest import responses
from common.rest.access import Access
from common.rest.doorway import Doorway
from common.rest.draining import Draining
from common.rest.paths import flag
from common.runtime.database_watch import DatabaseHealth, DatabaseWatch
from common.sync.ports import Clock, UnitOfWork

#: The colours in terms of the reference's resend interval of ten seconds: red for 12 of them after an error, yellow for 60.
_RED_SECONDS = 120.0
_YELLOW_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Usage:
    nodes: int
    objects: int


class HealthApi:
    """The endpoints."""

    def __init__(
        self,
        local: LocalNode,
        database: DatabaseWatch,
        access: Access,
        doorway: Doorway,
        draining: Draining,
        clock: Clock,
    ) -> None:
        self._is_cloud = local.is_cloud
        self._database = database
        self._access = access
        self._doorway = doorway
        self._draining = draining
        self._clock = clock
        self._started_at = clock.monotonic()

    async def health(self, request: Request) -> Response:
        """Any method; always 200, the colours tell (rest-api 3.21)."""
        details = flag(request.query_params, "details")
        self._access.check_may_use_api(await self._access.principal(request))
        is_up = await self._database_answers()
        database = self._database.health()
        colour = colour_of(database, is_up=is_up)
        shown: dict[str, object] = {
            "general": {
                "nodeType": "CSS" if self._is_cloud else "ESS",
                "healthStatus": colour,
                "upTime": int(self._clock.monotonic() - self._started_at),
            },
            "dbHealth": _shown_database(database, colour, is_up),
        }
        usage = await self._usage() if details and is_up else None
        if usage is not None:
            shown["usage"] = {
                "clientRequests": self._doorway.client_requests,
                "registeredESS": usage.nodes,
                "storedObjects": usage.objects,
            }
        return responses.json_of(shown)

    async def live(self, request: Request) -> Response:
        """200 as long as the process answers."""
        return PlainTextResponse("ok\n")

    async def ready(self, request: Request) -> Response:
        """200 when requests can be served: the database answers and the service is not stopping."""
        if self._draining.has_begun:
            return PlainTextResponse("stopping\n", 503)
        if not await self._database_answers():
            return PlainTextResponse("the database does not answer\n", 503)
        return PlainTextResponse("ok\n")

    async def _database_answers(self) -> bool:
        try:
            await asyncio.to_thread(self._database.read, lambda uow: uow.accounts.is_empty())
        except SyncError:
            return False
        return True

    async def _usage(self) -> Usage | None:
        def look(uow: UnitOfWork) -> Usage:
            return Usage(uow.nodes.count() if self._is_cloud else 0, uow.objects.count_own())

        try:
            return await asyncio.to_thread(self._database.read, look)
        except SyncError:
            return None


def colour_of(database: DatabaseHealth, *, is_up: bool) -> str:
    """green, yellow or red (rest-api 3.21)."""
    since = database.since_last_failure_seconds
    if not is_up or (since is not None and since < _RED_SECONDS):
        return "red"
    return "yellow" if since is not None and since < _YELLOW_SECONDS else "green"


def _shown_database(database: DatabaseHealth, colour: str, is_up: bool) -> dict[str, object]:
    shown: dict[str, object] = {
        "dbStatus": colour,
        "disconnectedFromDB": not is_up,
        "dbReadFailures": database.read_failures,
        "dbWriteFailures": database.write_failures,
    }
    if database.last_outage_seconds:
        shown["lastDisconnectFromDBDuration"] = int(database.last_outage_seconds * 1000)
    if database.since_last_failure_seconds:
        shown["timeSinceLastReadWriteError"] = int(database.since_last_failure_seconds)
    return shown
