"""Background work: a turn does what is due and says when to come back; a worker thread runs turns.

Tests and simulations call turns directly. Between turns a worker sleeps on wake-ups, without polling.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from random import random

from common.domain.errors import SyncError
from common.domain.retry import RetryPolicy
from common.runtime.hub import Hub
from common.runtime.logs import fields

log = logging.getLogger(__name__)

#: Seconds until the next turn; None when only a wake-up brings one.
Turn = Callable[[], float | None]

_FAILURE_RETRY = RetryPolicy(first_ms=200, longest_ms=30_000)
_STOP = "worker:stop"


class Worker:
    """One thread that runs one kind of turn, until stopped. A turn that fails is repeated with back-off and full jitter."""

    def __init__(self, name: str, turn: Turn, hub: Hub, *topics: str) -> None:
        self._name = name
        self._turn = turn
        self._hub = hub
        self._topics = (*topics, f"{_STOP}:{name}")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the worker to end after its present turn."""
        self._stopping.set()
        self._hub.publish(self._topics[-1:])

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end; whether it came."""
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        with self._hub.thread_listener(*self._topics) as woken:
            while not self._stopping.is_set():
                woken.clear()
                try:
                    pause_seconds = self._turn()
                    failures = 0
                except Exception as error:  # noqa: BLE001 - a worker outlives whatever one turn runs into
                    failures += 1
                    pause_seconds = _FAILURE_RETRY.delay_ms(failures, random()) / 1000  # noqa: S311 - jitter
                    self._report(error, failures)
                    # A wake-up must not turn a failure into a busy loop.
                    self._stopping.wait(pause_seconds)
                    continue
                if not self._stopping.is_set():
                    woken.wait(pause_seconds)

    def _report(self, error: Exception, failures: int) -> None:
        details = fields(worker=self._name, failures=failures, error=str(error))
        if isinstance(error, SyncError):
            log.warning("worker_turn_failed", extra=details)
        else:
            log.error("worker_turn_failed", extra=details, exc_info=error)
