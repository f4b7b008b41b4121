"""One client's stream of server-sent events.

The request's own task only waits for the client to go. What there is to send is sent by a short-lived task, so a client
that nothing happens for costs a connection and no more; one that does not read holds up nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from random import choice

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from common.domain.access import Visibility
from common.domain.errors import SyncError, Unavailable
from common.domain.objects import LISTED_AS_UPDATED, ObjectStatus
from common.rest import sse
from common.rest.feed import Feed, Feeds, Update, updates_of
from common.runtime.http_protocol import CONNECTION
from common.sync.changes import Position
from common.sync.lists import as_updated

log = logging.getLogger(__name__)

#: Bytes handed to the server at a time, give or take an event.
_SENT_AT_ONCE_BYTES = 64 * 1024

#: A client that takes nothing for so long is disconnected; it connects again where it was.
_STALL_SECONDS = 30.0

#: How often a client's rights are looked at again.
_RECHECK_SECONDS = 60.0

#: Clients come back spread over this time after a restart.
_RETRY_MS = range(1_000, 4_000)

_FAILURE_PAUSE_SECONDS = 1.0

_SHOWN_ALWAYS = LISTED_AS_UPDATED
_SHOWN_WHEN_ASKED = LISTED_AS_UPDATED | {ObjectStatus.RECEIVED}

#: What a client may see now. Raises Forbidden or NotAuthenticated for one that may see nothing any more.
Look = Callable[[], Awaitable[Visibility]]

#: While the context lasts, what it is given is called when the client's credentials no longer count.
Hold = Callable[[Callable[[], None]], AbstractContextManager[None]]


class EventStream(Response):
    """Everything of these types from `since` on, and then whatever happens, until the client leaves or the service stops."""

    media_type = sse.MEDIA_TYPE

    def __init__(
        self,
        feeds: Feeds,
        org: str,
        types: Iterable[str],
        seen: Visibility,
        look: Look,
        hold: Hold,
        since: Position | None,
        *,
        with_received: bool,
    ) -> None:
        self._feeds = feeds
        self._org = org
        self._types = tuple(types)
        self._seen = seen
        self._look = look
        self._hold = hold
        self._since = since
        self._with_received = with_received
        self.status_code = 200
        self.background = None
        # No intermediary is to collect events before it passes them on.
        self.init_headers({"x-accel-buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        abort: Callable[[], None] | None = scope.get("extensions", {}).get(CONNECTION, {}).get("abort")

        def join(feed: Feed) -> Client:
            return Client(feed, self._seen, self._look, self._since, send, abort, with_received=self._with_received)

        await send({"type": "http.response.body", "body": sse.retry(choice(_RETRY_MS)), "more_body": True})  # noqa: S311

        with self._feeds.subscribed(self._org, self._types, join) as client:
            client.wake()
            try:
                with self._hold(client.finish):
                    while (await receive())["type"] != "http.disconnect":
                        pass
            finally:
                client.leave()


class Client:
    """The `Subscriber` of a stream."""

    __slots__ = (
        "_abort",
        "_checked_at",
        "_feed",
        "_is_beating",
        "_is_behind",
        "_is_ending",
        "_is_over",
        "_look",
        "_place",
        "_position",
        "_seen",
        "_send",
        "_sending_since",
        "_statuses",
        "_task",
    )

    def __init__(
        self,
        feed: Feed,
        seen: Visibility,
        look: Look,
        since: Position | None,
        send: Send,
        abort: Callable[[], None] | None,
        *,
        with_received: bool,
    ) -> None:
        self._feed = feed
        self._seen = seen
        self._look = look
        self._send = send
        self._abort = abort
        self._statuses = _SHOWN_WHEN_ASKED if with_received else _SHOWN_ALWAYS
        #: Everything it covers has been sent.
        self._position = since
        #: Of the feed's ring, everything up to here has been sent.
        self._place = 0
        #: The store has more, or the ring has less, than is needed.
        self._is_behind = True
        self._is_beating = False
        self._is_ending = False
        self._is_over = False
        self._checked_at = time.monotonic()
        self._sending_since: float | None = None
        self._task: asyncio.Task[None] | None = None

    def wake(self) -> None:
        if self._task is None and not self._is_over:
            self._task = asyncio.create_task(self._run())

    def beat(self) -> None:
        if self._sending_since is not None and time.monotonic() - self._sending_since > _STALL_SECONDS:
            self._break_off()
        elif self._task is None:
            self._is_beating = True
            self.wake()

    def finish(self) -> None:
        self._is_ending = True
        if self._sending_since is not None:
            self._break_off()
        self.wake()

    def leave(self) -> None:
        """The client has gone."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            while not self._is_ending and await self._step():
                pass
            if self._is_ending:
                self._is_over = True
                await self._give(b"", is_last=True)
        except OSError:
            self._break_off()
        except Exception:
            log.exception("event_stream_failed")
            self._break_off()
        finally:
            self._task = None

    async def _step(self) -> bool:
        """Send something; whether there may be more."""
        try:
            if not await self._may_go_on():
                return False
            events = await self._from_store() if self._is_behind else self._from_ring()
        except Unavailable:
            await asyncio.sleep(_FAILURE_PAUSE_SECONDS)
            return True
        if self._is_beating:
            events = events or sse.HEARTBEAT
            self._is_beating = False
        if events:
            await self._give(events)
        return bool(events) or self._is_behind

    async def _may_go_on(self) -> bool:
        now = time.monotonic()
        if now - self._checked_at < _RECHECK_SECONDS:
            return True
        self._checked_at = now
        try:
            self._seen = await self._look()
        except Unavailable:
            raise
        except SyncError:
            self._is_ending = True
        return not self._is_ending

    async def _from_store(self) -> bytes:
        place = await self._feed.place()
        reading = await self._feed.read(self._position, with_received=self._statuses is _SHOWN_WHEN_ASKED)
        self._position = reading.position
        self._place = place
        self._is_behind = not reading.is_complete
        return b"".join(self._event_of(update) for update in updates_of(reading))

    def _from_ring(self) -> bytes:
        updates = self._feed.ring.after(self._place)
        if updates is None:
            self._is_behind = True
            return b""
        events: list[bytes] = []
        size_bytes = 0
        for update in updates:
            if size_bytes > _SENT_AT_ONCE_BYTES:
                return b"".join(events)
            self._place += 1
            if self._position is None or not self._position.covers(update.item.change):
                events.append(self._event_of(update))
                size_bytes += len(events[-1])
        self._follow()
        return b"".join(events)

    def _follow(self) -> None:
        """At the end of the ring everything the feed has seen is sent; all clients share its position."""
        theirs = self._feed.position
        if theirs is not None and self._position is not None and self._position.newest < theirs.newest:
            self._position = theirs

    def _event_of(self, update: Update) -> bytes:
        """Nothing for what the client may not see, or has acknowledged."""
        item = update.item
        if item.status not in self._statuses:
            return b""
        shown = as_updated(item, self._seen)
        if shown is None or shown is item:
            return update.event if shown else b""
        return sse.update(update.epoch, update.mark, shown.meta)

    async def _give(self, body: bytes, *, is_last: bool = False) -> None:
        self._sending_since = time.monotonic()
        try:
            await self._send({"type": "http.response.body", "body": body, "more_body": not is_last})
        finally:
            self._sending_since = None

    def _break_off(self) -> None:
        """The connection ends at once, whatever the client has not taken yet."""
        self._is_over = True
        if self._abort is not None:
            self._abort()
