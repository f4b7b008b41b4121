"""Wake-ups inside one process: from whoever committed something to whoever waits for it.

Threads and coroutines wait side by side. A wake-up is a hint (R9): waiters check the database before they wait and look
again when the wait ends, whatever ended it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Protocol, TypeVar

from common.sync.wakeups import EVERYTHING

_E = TypeVar("_E")


class Event(Protocol):
    """What threading and asyncio agree on."""

    def set(self) -> None: ...


class Hub:
    """Topics and those who listen to them. `publish` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: dict[str, set[threading.Event]] = defaultdict(set)
        # Touched by the event loop only.
        self._tasks: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: set[str] = set()

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """The loop whose coroutines wait; None when it is about to end."""
        with self._lock:
            self._loop = loop

    def publish(self, topics: Iterable[str]) -> None:
        """Wake everyone who listens to one of `topics`."""
        names = set(topics)
        if not names:
            return
        with self._lock:
            _set_all(self._threads, names)
            loop = self._loop
            # One hop to the loop serves all commits until it runs.
            is_scheduled = bool(self._pending)
            if loop is not None:
                self._pending |= names
        if loop is not None and not is_scheduled:
            try:
                loop.call_soon_threadsafe(self._wake_tasks)
            except RuntimeError:  # the loop has just been closed: nobody waits any more
                self.attach(None)

    @contextmanager
    def thread_listener(self, *topics: str) -> Iterator[threading.Event]:
        """An event that is set by any of `topics` from now on; the listener clears it before it looks for work."""
        event = threading.Event()
        with self._lock:
            for topic in topics:
                self._threads[topic].add(event)
        try:
            yield event
        finally:
            with self._lock:
                _drop(self._threads, topics, event)

    @contextmanager
    def listener(self, *topics: str) -> Iterator[asyncio.Event]:
        """The same for a coroutine of the attached loop."""
        event = asyncio.Event()
        for topic in topics:
            self._tasks[topic].add(event)
        try:
            yield event
        finally:
            _drop(self._tasks, topics, event)

    def _wake_tasks(self) -> None:
        with self._lock:
            names, self._pending = self._pending, set()
        _set_all(self._tasks, names)


def _set_all(listeners: Mapping[str, Iterable[Event]], names: AbstractSet[str]) -> None:
    for name in listeners.keys() if EVERYTHING in names else names & listeners.keys():
        for event in listeners[name]:
            event.set()


def _drop(listeners: dict[str, set[_E]], topics: Iterable[str], event: _E) -> None:
    for topic in topics:
        waiting = listeners.get(topic)
        if waiting is not None:
            waiting.discard(event)
            if not waiting:
                del listeners[topic]
