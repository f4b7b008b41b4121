"""What applications are shown as it changes, read once per process for all who listen.

    commit ──wake-up──► Feed: one query ──► ring ──► every subscriber, from memory
                                             └─ lagged beyond it? then from the store, page by page

A subscriber joins without a gap: it notes where the ring ends, then reads from the store up to some position, then goes
on in the ring from what it noted, leaving out what that position covers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from common.domain.errors import SyncError
from common.domain.objects import SyncObject
from common.rest import sse
from common.rest.draining import DRAIN, Draining
from common.rest.transactions import Transactions
from common.runtime.hub import Hub
from common.runtime.logs import fields
from common.sync import wakeups
from common.sync.changes import Position
from common.sync.feeding import Question, Reading, read_changes

log = logging.getLogger(__name__)

#: Updates a feed keeps for subscribers that are slower than others, and their bytes.
_RING_UPDATES = 256
_RING_BYTES = 1 << 20

#: Objects a subscriber reads from the store at a time, and how many subscribers do that at once: thousands that connect
#: again after a restart must not keep everybody else from the store.
_PAGE_OBJECTS = 100
_READERS = 3

#: Subscribers woken before the event loop does something else.
_WOKEN_AT_ONCE = 50

_FAILURE_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Update:
    """One object as it came to be shown, and its event for those who see it as it is."""

    item: SyncObject
    epoch: int
    #: What a client that has this event has seen everything up to.
    mark: int
    event: bytes


class Subscriber(Protocol):
    """Whom a feed tells. No call may wait."""

    def wake(self) -> None:
        """There may be something new."""
        ...

    def beat(self) -> None:
        """Some time has passed."""
        ...

    def finish(self) -> None:
        """The service stops."""
        ...


S = TypeVar("S", bound=Subscriber)


class Ring:
    """The latest updates, numbered in the order of their arrival."""

    def __init__(self) -> None:
        self._updates: deque[Update] = deque()
        self._bytes = 0
        #: The number of the last update.
        self.end = 0

    def append(self, update: Update) -> None:
        self._updates.append(update)
        self._bytes += len(update.event)
        self.end += 1
        while len(self._updates) > _RING_UPDATES or self._bytes > _RING_BYTES:
            self._bytes -= len(self._updates.popleft().event)

    def skip(self) -> None:
        """More has changed than is worth keeping: everybody lags."""
        self._updates.clear()
        self._bytes = 0
        self.end += 1

    def after(self, number: int) -> Sequence[Update] | None:
        """Updates behind that number; None when some of them are gone."""
        missing = self.end - number
        if missing > len(self._updates):
            return None
        return [self._updates[index] for index in range(len(self._updates) - missing, len(self._updates))]


class Feed:
    """One set of object types of an organization."""

    def __init__(self, asked: Question, transactions: Transactions, hub: Hub, readers: asyncio.Semaphore) -> None:
        self._asked = asked
        self._transactions = transactions
        self._hub = hub
        self._readers = readers
        self.subscribers: set[Subscriber] = set()
        self.ring = Ring()
        #: Everything it covers is in the ring or was there before.
        self.position: Position | None = None
        self._woken = asyncio.Event()
        self._has_position = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def place(self) -> int:
        """Where the ring ends, once there is one: everything a later reading does not cover will come after it."""
        await self._has_position.wait()
        return self.ring.end

    async def read(self, since: Position | None, *, with_received: bool) -> Reading:
        """A page from the store."""
        asked = Question(self._asked.org, self._asked.types, with_received)
        async with self._readers:
            return await self._transactions.read(lambda uow: read_changes(uow, asked, since, _PAGE_OBJECTS))

    def look_again(self, now: Position) -> None:
        """A wake-up may have been lost."""
        if self.position != now:
            self._woken.set()

    def close(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        topics = [wakeups.objects_topic(self._asked.org, each) for each in self._asked.types]
        with self._hub.listener(*topics) as woken:
            self._woken = woken
            while True:
                try:
                    if self.position is None:
                        self.position = await self._transactions.read(lambda uow: uow.changes.position())
                        self._has_position.set()
                    await woken.wait()
                    woken.clear()
                    await self._advance(self.position)
                except Exception as error:  # noqa: BLE001 - a feed outlives whatever one look runs into
                    _report(error)
                    await asyncio.sleep(_FAILURE_PAUSE_SECONDS)
                    woken.set()

    async def _advance(self, since: Position) -> None:
        asked = Question(self._asked.org, self._asked.types, with_received=True)
        reading = await self._transactions.read(lambda uow: read_changes(uow, asked, since, _RING_UPDATES))
        if reading.is_complete and not reading.starts_over:
            self.position = reading.position
            for update in updates_of(reading):
                self.ring.append(update)
        else:
            self.position = await self._transactions.read(lambda uow: uow.changes.position())
            self.ring.skip()
        if reading.objects or reading.starts_over:
            await self._wake_all()

    async def _wake_all(self) -> None:
        for number, subscriber in enumerate(tuple(self.subscribers), start=1):
            subscriber.wake()
            if number % _WOKEN_AT_ONCE == 0:
                await asyncio.sleep(0)


class Feeds:
    """The feeds of a process. For the event loop only."""

    def __init__(self, transactions: Transactions, hub: Hub, draining: Draining, *, beat_seconds: float = 20.0) -> None:
        self._transactions = transactions
        self._hub = hub
        self._beat_seconds = beat_seconds
        self._feeds: dict[Question, Feed] = {}
        self._readers = asyncio.Semaphore(_READERS)
        self._timer: asyncio.Task[None] | None = None
        self._draining = draining

    @property
    def subscribers(self) -> int:
        """How many are listening."""
        return sum(len(feed.subscribers) for feed in self._feeds.values())

    @contextmanager
    def subscribed(self, org: str, types: Sequence[str], join: Callable[[Feed], S]) -> Iterator[S]:
        """A subscriber, made by `join`, that is told of changes until the context ends."""
        asked = Question(org, tuple(sorted(set(types))))
        feed = self._feeds.get(asked)
        if feed is None:
            feed = self._feeds[asked] = Feed(asked, self._transactions, self._hub, self._readers)
        subscriber = join(feed)
        feed.subscribers.add(subscriber)
        if self._timer is None:
            self._timer = asyncio.create_task(self._keep_time())
        try:
            if self._draining.has_begun:
                subscriber.finish()
            yield subscriber
        finally:
            feed.subscribers.discard(subscriber)
            if not feed.subscribers:
                del self._feeds[asked]
                feed.close()
            if not self._feeds:
                self._timer.cancel()
                self._timer = None

    async def _keep_time(self) -> None:
        """One timer for all."""
        with self._hub.listener(DRAIN) as woken:
            while not self._draining.has_begun:
                woken.clear()
                try:
                    await asyncio.wait_for(woken.wait(), self._beat_seconds)
                except TimeoutError:
                    await self._beat()
        for subscriber in self._all():
            subscriber.finish()

    async def _beat(self) -> None:
        try:
            now = await self._transactions.read(lambda uow: uow.changes.position())
        except Exception as error:  # noqa: BLE001 - those who listen are to hear that they are still connected
            _report(error)
        else:
            for feed in tuple(self._feeds.values()):
                feed.look_again(now)
        for subscriber in self._all():
            subscriber.beat()

    def _all(self) -> list[Subscriber]:
        return [subscriber for feed in self._feeds.values() for subscriber in feed.subscribers]


def _report(error: Exception) -> None:
    if isinstance(error, SyncError):
        log.warning("feed_interrupted", extra=fields(error=str(error)))
    else:
        log.error("feed_interrupted", exc_info=error)


def updates_of(reading: Reading) -> Iterator[Update]:
    """In order. A mark never gets ahead of what is pending, nor into the middle of a transaction."""
    epoch, settled = reading.position.epoch, reading.position.settled
    last = len(reading.objects) - 1
    for index, item in enumerate(reading.objects):
        is_last_of_its_number = index == last or reading.objects[index + 1].change != item.change
        mark = min(settled, item.change if is_last_of_its_number else item.change - 1)
        yield Update(item, epoch, mark, sse.update(epoch, mark, item.meta))
