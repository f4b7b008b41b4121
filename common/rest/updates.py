"""What arrived for the applications of this node: the list they poll (rest-api 3.4), held open for them if they like.

GET …/{type}                                   the list at once, or 404
… Prefer: wait=N                               as soon as there is something in it
… Prefer: wait=N, If-None-Match: "etag"        as soon as it differs
… Accept: text/event-stream                    everything in it, then each change as it happens
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from common.domain.access import Visibility
from common.domain.objects import SyncObject
from common.domain.preconditions import ANY_VERSION
from common.domain.principals import Principal
from common.domain.selection import START, ListPosition
from common.protocol import codec, routes
from common.rest import conditions, responses, sse
from common.rest.access import Access
from common.rest.draining import DRAIN, Draining
from common.rest.event_stream import EventStream
from common.rest.feed import Feeds
from common.rest.pages import PIECE_ROWS, Piece, answer_list
from common.rest.transactions import Transactions
from common.rest.waiting import departure_of, wait_for_either
from common.runtime.hub import Hub
from common.sync import wakeups
from common.sync.lists import Listed, updated_page
from common.sync.ports import Clock

#: The longest a client may ask to wait.
LONGEST_WAIT_SECONDS = 60.0

#: Without a wake-up, a waiting request looks at the list this often: the guarantee behind the hints.
RECHECK_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose list of what."""

    org: str
    object_type: str
    visible: Visibility
    include_received: bool


class Updates:
    """The endpoint; names in the path are valid, the principal is authenticated."""

    def __init__(
        self, access: Access, transactions: Transactions, feeds: Feeds, hub: Hub, draining: Draining, clock: Clock
    ) -> None:
        self._access = access
        self._transactions = transactions
        self._feeds = feeds
        self._hub = hub
        self._draining = draining
        self._clock = clock

    async def handle(
        self, request: Request, principal: Principal, org: str, object_type: str, include_received: bool
    ) -> Response:
        """GET. Raises Forbidden, and InvalidRequest for headers or a page that make no sense."""
        if sse.is_wanted(request.headers.get("accept")):
            return await self.stream(request, principal, org, [object_type], include_received)
        asked = _Asked(org, object_type, await self._access.visibility(principal, org), include_received)
        wait_seconds = min(routes.parse_wait_seconds(request.headers.get("prefer")), LONGEST_WAIT_SECONDS)
        if wait_seconds == 0:
            return await self._answer(request, asked, await self._first(asked))
        with self._access.until_revoked(request):
            listed = await self._wait(request, asked, wait_seconds)
        response = await self._answer(request, asked, listed)
        response.headers["preference-applied"] = "wait"
        return response

    async def stream(
        self, request: Request, principal: Principal, org: str, types: Iterable[str], include_received: bool
    ) -> Response:
        """Everything there is, or what came after `Last-Event-ID`, then each change as it happens. Raises Forbidden."""
        seen = await self._access.visibility(principal, org)
        since = sse.resume_point(request.headers.get("last-event-id"))

        async def look() -> Visibility:
            return await self._access.visibility(principal, org)

        def hold(end: Callable[[], None]) -> AbstractContextManager[None]:
            return self._access.hold(request, end)

        return EventStream(self._feeds, org, types, seen, look, hold, since, with_received=include_received)

    async def _wait(self, request: Request, asked: _Asked, wait_seconds: float) -> Listed[SyncObject]:
        """The list once it is worth an answer, at the latest after that time."""
        deadline = self._clock.monotonic() + wait_seconds
        topic = wakeups.objects_topic(asked.org, asked.object_type)
        with self._hub.listener(DRAIN, topic) as woken, departure_of(request) as gone:
            while True:
                woken.clear()
                listed = await self._first(asked)
                left = deadline - self._clock.monotonic()
                if _is_news(request, listed) or left <= 0 or self._draining.has_begun or gone.done():
                    return listed
                await wait_for_either(woken, gone, min(left, RECHECK_SECONDS))

    async def _answer(self, request: Request, asked: _Asked, listed: Listed[SyncObject]) -> Response:
        """The whole list if it is short enough to have an entity tag, else page by page or as a stream."""
        query = request.query_params
        if listed.end is not None or query.get("limit") or query.get("after"):
            return await self._pages(request, asked)
        validator = _validator_of(listed)
        if not listed.items:
            return Response(status_code=404, headers={"etag": conditions.etag(validator)})
        known = conditions.unless_known(request, validator)
        if known is not None:
            return known
        body = codec.encode_metadata_list([item.meta for item in listed.items])
        return responses.json_body(body, {"etag": conditions.etag(validator)})

    async def _pages(self, request: Request, asked: _Asked) -> Response:
        async def read(after: ListPosition, limit: int) -> Piece:
            listed = await self._read(asked, after, limit)
            return Piece([codec.encode_metadata(item.meta) for item in listed.items], listed.end)

        return await answer_list(request, read)

    async def _first(self, asked: _Asked) -> Listed[SyncObject]:
        """The first piece that shows anything."""
        listed = await self._read(asked, START, PIECE_ROWS)
        while not listed.items and listed.end is not None:
            listed = await self._read(asked, listed.end, PIECE_ROWS)
        return listed

    async def _read(self, asked: _Asked, after: ListPosition, limit: int) -> Listed[SyncObject]:
        return await self._transactions.read(
            lambda uow: updated_page(
                uow,
                asked.org,
                asked.object_type,
                asked.visible,
                include_received=asked.include_received,
                after=after,
                limit=limit,
            )
        )


def _is_news(request: Request, listed: Listed[SyncObject]) -> bool:
    """Is there something to tell a client that waits?"""
    if listed.end is not None:
        return True
    known = conditions.precondition(request).differs
    if known is None or known is ANY_VERSION:
        return bool(listed.items)
    return _validator_of(listed) not in known


def _validator_of(listed: Listed[SyncObject]) -> str:
    """Of a whole list."""
    digest = hashlib.sha256()
    for item in listed.items:
        digest.update(f"{item.key.id}\0{item.instance}\0{item.status}\0{item.change}\0{item.meta.deleted}\n".encode())
    return digest.hexdigest()[:32]
