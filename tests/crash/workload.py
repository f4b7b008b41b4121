"""The applications of a crash run: publishers that repeat until they are answered, readers that use up what comes."""

from __future__ import annotations

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from tests.crash.ledger import Key, Ledger
from tests.support.apps import Application, is_passing
from tests.support.contents import Content

#: However long the services are away in a run, they answer before this.
_RETRY_SECONDS = 120.0
_PAUSE_SECONDS = 0.02

#: Larger data goes up by itself, in pieces.
_INLINE_BYTES = 64 << 10


@dataclass
class Stream:
    """The versions of one object."""

    key: Key
    #: Each version has a size between these.
    sizes_bytes: tuple[int, int]
    readers: list[str]
    #: A patient stream waits until every reader has consumed a version; others overtake themselves.
    is_patient: bool
    meta: dict[str, Any] = field(default_factory=dict)
    version: int = 0

    def next(self, randomness: random.Random) -> Content:
        self.version += 1
        return Content(str(self.key), self.version, randomness.randint(*self.sizes_bytes))


class Actor(threading.Thread, ABC):
    """Repeats turns until it is stopped; what ends it early is kept as `failure`."""

    def __init__(self, name: str, connect: Callable[[], Application]) -> None:
        super().__init__(name=name, daemon=True)
        self._connect = connect
        self._stopping = threading.Event()
        self.failure: Exception | None = None

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        try:
            with self._connect() as app:
                while not self._stopping.wait(_PAUSE_SECONDS):
                    self.turn(app)
        except Exception as error:  # noqa: BLE001 - the run reports whatever it was
            self.failure = error

    @abstractmethod
    def turn(self, app: Application) -> None: ...


class Publisher(Actor):
    """Publishes the next version of each of its streams in turn."""

    def __init__(
        self, name: str, connect: Callable[[], Application], ledger: Ledger, streams: list[Stream], seed: int
    ) -> None:
        super().__init__(name, connect)
        self._ledger = ledger
        self.streams = streams
        self._random = random.Random(seed)

    def turn(self, app: Application) -> None:
        for stream in self.streams:
            if self._stopping.is_set():
                return
            if not stream.is_patient or self._ledger.is_used_up(stream.key, stream.readers):
                self._publish(app, stream)

    def publish_all(self) -> None:
        """One more version of everything, by the calling thread; for a publisher that has stopped."""
        with self._connect() as app:
            for stream in self.streams:
                self._publish(app, stream)

    def _publish(self, app: Application, stream: Stream) -> None:
        """Returns when it is acknowledged."""
        content = stream.next(self._random)
        self._ledger.offer(stream.key, content)
        if stream.sizes_bytes[1] > _INLINE_BYTES:
            if stream.version == 1:
                persistently(partial(app.put, *stream.key, **stream.meta))
            tag = str(stream.version)
            app.put_data_in_pieces(*stream.key, content, retry_seconds=_RETRY_SECONDS, tag=tag)
        else:
            data = content.read(0, content.size_bytes)
            persistently(partial(app.put, *stream.key, data, **stream.meta))
        self._ledger.acknowledge(stream.key, content.version)


class Reader(Actor):
    """Reads and consumes everything of some types that is shown to it."""

    def __init__(self, name: str, connect: Callable[[], Application], ledger: Ledger, types: list[str]) -> None:
        super().__init__(name, connect)
        self._ledger = ledger
        self._types = types
        #: Consumptions that got no answer: instance and version by object.
        self._unanswered: dict[Key, tuple[int, int]] = {}

    def turn(self, app: Application) -> None:
        for object_type in self._types:
            try:
                listed = {Key(object_type, each["objectID"]): each["instanceID"] for each in app.updated(object_type)}
                self._find_out(object_type, listed)
                for key, instance in listed.items():
                    self._use(app, key, instance)
            except httpx.TransportError:
                return  # the service is down; what was not answered is listed again
            except httpx.HTTPStatusError as error:
                # A call that was applied but not answered, or an object that changed since it was listed.
                if not is_passing(error) and error.response.status_code not in (400, 404):
                    raise

    def _find_out(self, object_type: str, listed: dict[Key, int]) -> None:
        """What is not shown any more was consumed by the call that got no answer."""
        for key, (instance, version) in list(self._unanswered.items()):
            if key.type == object_type:
                del self._unanswered[key]
                if listed.get(key) != instance:
                    self._ledger.consume(self.name, key, instance, version)

    def _use(self, app: Application, key: Key, instance: int) -> None:
        self._ledger.see(self.name, key, instance)
        version = self._ledger.read(self.name, key, app.digest(*key))
        self._unanswered[key] = instance, version
        app.mark_consumed(*key)
        del self._unanswered[key]
        self._ledger.consume(self.name, key, instance, version)


def persistently(call: Callable[[], None]) -> None:
    """Repeat `call` until it is answered, for as long as anybody waits in a run."""
    deadline = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            return call()
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            if not is_passing(error) or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
