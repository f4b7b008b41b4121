"""`POST /api/v1/shutdown`: stops the service, or starts it anew (rest-api 3.22)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from common.domain.errors import Unavailable
from common.rest import responses
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.paths import explained_flag
from common.runtime.logs import fields

log = logging.getLogger(__name__)

#: The answer is on its way before anything stops.
_HEAD_START_SECONDS = 1.0

_DEFAULT_QUIESCE_SECONDS = 3
_LONGEST_QUIESCE_SECONDS = 3600


class ShutdownApi:
    """The endpoint. What it asks for are calls of the composition root."""

    def __init__(
        self,
        access: Access,
        auditor: Auditor,
        *,
        drain: Callable[[], None],
        stop: Callable[[bool], None],
        unregister: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`drain` refuses new requests from now on; `stop` ends the service, and starts it again if told so.

        `unregister` tells the cloud that this node leaves for good; the cloud itself has none.
        """
        self._access = access
        self._auditor = auditor
        self._drain = drain
        self._stop = stop
        self._unregister = unregister
        self._stopping: asyncio.Task[None] | None = None

    async def handle(self, request: Request) -> Response:
        """204 at once; the stop begins a second later."""
        principal = await self._access.principal(request)
        self._access.check_may_shut_down(principal)
        if request.method != "POST":
            return responses.empty(405)
        query = request.query_params
        restarts = query.get("restart", "").lower() in ("true", "yes")
        unregisters = bool(explained_flag(query, "essunregister"))
        if self._stopping is None:
            seconds = _quiesce_seconds(query.get("quiesce", ""))
            log.info("shutdown_requested", extra=fields(by=principal.owner, restart=restarts, unregister=unregisters))
            self._stopping = asyncio.create_task(self._wind_down(seconds, restarts, unregisters))
            await self._note(request, restarts, unregisters)
        return responses.done()

    async def _note(self, request: Request, restarts: bool, unregisters: bool) -> None:
        """A database that does not answer keeps nobody from stopping."""
        target = " ".join(["restart" if restarts else "stop", *["and unregister"] * unregisters])
        try:
            await self._auditor.note(request, "", "shutdown", target)
        except Unavailable:
            log.warning("shutdown_not_recorded")

    async def _wind_down(self, quiesce_seconds: int, restarts: bool, unregisters: bool) -> None:
        await asyncio.sleep(_HEAD_START_SECONDS)
        self._drain()
        if unregisters and self._unregister is not None:
            await self._unregister()
        await asyncio.sleep(quiesce_seconds)
        self._stop(restarts)


def _quiesce_seconds(text: str) -> int:
    """Leading digits count; without any it is the default."""
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    if not digits.isascii() or not digits or len(digits) > len(str(_LONGEST_QUIESCE_SECONDS)):
        return _DEFAULT_QUIESCE_SECONDS if not digits else _LONGEST_QUIESCE_SECONDS
    return min(int(digits), _LONGEST_QUIESCE_SECONDS)
