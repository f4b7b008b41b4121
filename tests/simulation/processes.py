"""A process that can die at any moment: what it has not committed or flushed is lost, what it has is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar

from starlette.types import ASGIApp

from common.domain.errors import SyncError
from common.domain.retry import RetryPolicy
from common.rest.service import Service
from common.runtime.hub import Hub
from common.runtime.worker import Worker
from common.sync.payloads import PayloadReader, PayloadStore, PayloadStoreFull, PayloadWriter, Piece, StoredPayload
from common.sync.ports import Database, UnitOfWork
from tests.simulation.scheduler import Died, Scheduler

T = TypeVar("T")

_TURN_RETRY = RetryPolicy(first_ms=200, longest_ms=30_000)


class Troubles:
    """What goes wrong inside a machine, as chances per operation."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.lost_wake = 0.0
        self.disk_full = 0.0

    def strikes(self, chance: float) -> bool:
        return chance > 0 and self.random.random() < chance


class Process:
    """One run of a service, from its start to its death."""

    def __init__(
        self, name: str, scheduler: Scheduler, troubles: Troubles, replicas: list[Process | None] | None
    ) -> None:
        self.name = name
        #: The processes that share its database; None when nobody does.
        self._replicas = replicas
        self.hub = Hub()
        self.is_alive = True
        self.app: ASGIApp | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.scheduler = scheduler
        self.troubles = troubles

    def serve(self, service: Service) -> None:
        """Answer requests, and run the workers."""
        self.hub.attach(self.scheduler.loop)
        self.app = service.doorway
        for worker in [*service.workers, *service.detached]:
            self._start(worker)

    def die(self) -> None:
        self.is_alive = False
        for task in list(self.tasks):
            task.cancel()

    def sharers(self) -> list[Process]:
        """Everybody who hears of a commit of this process."""
        return [self] if self._replicas is None else [each for each in self._replicas if each is not None]

    def heard(self, woken: set[str]) -> list[str]:
        """Wake-ups that get through. Those inside an edge's only process always do; replicas are notified by the database."""
        topics = sorted(woken)
        if self._replicas is None:
            return topics
        return [topic for topic in topics if not self.troubles.strikes(self.troubles.lost_wake)]

    def check_alive(self) -> None:
        if not self.is_alive:
            raise Died

    def _start(self, worker: Worker) -> None:
        turn, topics = worker._turn, worker._topics
        name = f"{self.name} {worker._name}"
        self.scheduler.start(name, lambda: self._run(name, turn, topics), lambda: not self.is_alive)

    def _run(self, name: str, turn: Callable[[], float | None], topics: Iterable[str]) -> None:
        """As `Worker` does, in the scheduler's time."""
        failures = 0
        with self.hub.thread_listener(*topics) as woken:
            while True:
                woken.clear()
                try:
                    pause_seconds = turn()
                except SyncError as error:
                    failures += 1
                    self.scheduler.note(f"{name}: {type(error).__name__} {error}")
                    self.scheduler.sleep(_TURN_RETRY.delay_ms(failures, self.troubles.random.random()) / 1000)
                    continue
                failures = 0
                self.scheduler.wait(woken.is_set, pause_seconds)


class ProcessDatabase:
    """A database as one process sees it."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self._process = process

    @property
    def parallel_commits(self) -> int:
        return self._database.parallel_commits

    def submit(self, work: Callable[[UnitOfWork], T]) -> Future[T]:
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = self.write(work)
            except BaseException as error:  # noqa: BLE001 - belongs to who asked
                future.set_exception(error)
            else:
                future.set_result(result)

        if self._process.scheduler.is_in_activity:
            job()
        else:
            self._process.scheduler.loop.add_job(job)
        return future

    def write(self, work: Callable[[UnitOfWork], T]) -> T:
        self._process.scheduler.pause()
        self._process.check_alive()
        woken: set[str] = set()
        result = self._database.write(lambda uow: work(_Waking(uow, woken)))
        for process in self._process.sharers():
            process.hub.publish(process.heard(woken))
        self._process.scheduler.pause()
        return result

    def read(self, work: Callable[[UnitOfWork], T]) -> T:
        self._process.scheduler.pause()
        self._process.check_alive()
        return self._database.read(work)

    def close(self) -> None:
        pass


class _Waking:
    """A unit of work whose wake-ups are known before anybody is woken."""

    def __init__(self, uow: UnitOfWork, woken: set[str]) -> None:
        self._uow = uow
        self._woken = woken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)

    def wake(self, *topics: str) -> None:
        self._woken.update(topics)


class ProcessPayloads:
    """A payload store as one process sees it."""

    def __init__(self, store: PayloadStore, process: Process) -> None:
        self._store = store
        self._process = process

    def writer(self, name: str) -> PayloadWriter:
        self._enter()
        return _ProcessWriter(self._store.writer(name), self._process)

    def seal(self, name: str, size_bytes: int) -> None:
        self._enter()
        self._store.seal(name, size_bytes)
        self._process.scheduler.pause()

    def read_staged(self, name: str, start: int, end: int) -> bytes:
        self._enter()
        return self._store.read_staged(name, start, end)

    def open(self, name: str) -> PayloadReader:
        self._enter()
        return self._store.open(name)

    def read(self, name: str, start: int, end: int) -> bytes:
        self._enter()
        return self._store.read(name, start, end)

    def size(self, name: str) -> int:
        self._enter()
        return self._store.size(name)

    def delete(self, name: str) -> None:
        self._enter()
        self._store.delete(name)

    def names(self) -> Iterator[StoredPayload]:
        self._enter()
        return self._store.names()

    def _enter(self) -> None:
        self._process.scheduler.pause()
        self._process.check_alive()


class _ProcessWriter:
    def __init__(self, writer: PayloadWriter, process: Process) -> None:
        self._writer = writer
        self._process = process

    def write(self, offset: int, piece: Piece) -> None:
        self._process.check_alive()
        if self._process.troubles.strikes(self._process.troubles.disk_full):
            raise PayloadStoreFull
        self._writer.write(offset, piece)

    def flush(self) -> None:
        self._process.scheduler.pause()
        self._process.check_alive()
        self._writer.flush()
        self._process.scheduler.pause()

    def close(self) -> None:
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class InlineExecutor:
    """The one thread of a `ThreadPoolExecutor(1)`, as part of who waits for it."""

    def submit(self, work: Callable[..., T], *args: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(work(*args))
        except Exception as error:  # noqa: BLE001 - belongs to who waits
            future.set_exception(error)
        return future
