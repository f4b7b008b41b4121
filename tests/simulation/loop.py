"""An event loop without sockets or threads, in the scheduler's time."""

from __future__ import annotations

import asyncio
from asyncio import base_events
from collections import deque
from collections.abc import Callable
from typing import Any


class _NoSelector:
    def select(self, timeout: float | None = None) -> list[Any]:
        return []


class SimLoop(base_events.BaseEventLoop):
    """Jobs for worker threads go to `add_job(label, job)`, to be run whenever the scheduler likes."""

    # Of the base class, for the type checker.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, now: Callable[[], float], add_job: Callable[[str, Callable[[], None]], None]) -> None:
        super().__init__()
        self._selector = _NoSelector()
        self._now = now
        self._add_job = add_job
        self._jobs = 0
        self.set_exception_handler(lambda loop, context: None)

    def time(self) -> float:
        return self._now()

    def run_ready(self) -> None:
        """Run callbacks until none is ready at this moment."""
        while self._ready or ((at := self.next_timer_at()) is not None and at <= self._now()):
            self.call_soon(self.stop)
            self.run_forever()

    def next_timer_at(self) -> float | None:
        return min((handle.when() for handle in self._scheduled if not handle.cancelled()), default=None)

    def add_job(self, job: Callable[[], None]) -> None:
        """A job named after the task that asks for it."""
        self._jobs += 1
        task = asyncio.current_task(self)
        self._add_job(f"{task.get_name() if task else ''} {self._jobs:09}", job)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        future = self.create_future()

        def job() -> None:
            try:
                result = func(*args)
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to who waits for the job
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        self.add_job(job)
        return future

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass
