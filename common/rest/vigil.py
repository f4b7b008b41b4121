"""Requests that are held open end when the credentials they came with no longer count."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from starlette.requests import HTTPConnection

from common.domain.errors import NotAuthenticated, SyncError, Unavailable
from common.domain.principals import Principal
from common.runtime.authentication.cache import Remembered
from common.runtime.hub import Hub
from common.sync import wakeups

log = logging.getLogger(__name__)

#: While anything is held open, whether credentials changed is looked at this often: the guarantee behind the wake-ups.
_LOOK_SECONDS = 0.5

#: Credentials looked up at a time.
_LOOK_UPS = 4


#: Where the scope of a request says who was recognized.
CALLER = "edgesync.caller"


class Recognizer(Protocol):
    """Tells who is calling; see `Gate`."""

    @property
    def epoch(self) -> int:
        """Another one when credentials changed."""
        ...

    async def ensure_current(self, *, at_once: bool = False) -> None: ...

    async def recognize(self, connection: HTTPConnection) -> Remembered:
        """Who it is, left in the scope under CALLER. Raises NotAuthenticated, Unavailable."""
        ...


@dataclass(slots=True, eq=False)
class _Caller:
    """Everything held open with the same credentials."""

    connection: HTTPConnection
    principal: Principal
    holds_until: float
    epoch: int
    ends: set[Callable[[], None]] = field(default_factory=set)


class Vigil:
    """For the event loop. Costs nothing while nothing is held open."""

    def __init__(self, recognizer: Recognizer, hub: Hub, monotonic: Callable[[], float]) -> None:
        self._recognizer = recognizer
        self._hub = hub
        self._monotonic = monotonic
        self._callers: dict[bytes, _Caller] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def hold(self, connection: HTTPConnection, end: Callable[[], None]) -> Iterator[None]:
        """While the context lasts, `end` is called once if the recognized caller is no longer who he was."""
        known: Remembered = connection.scope[CALLER]
        caller = self._callers.get(known.credentials)
        if caller is None or caller.principal != known.principal:
            caller = _Caller(connection, known.principal, known.holds_until, known.epoch)
            self._callers[known.credentials] = caller
        # He may have been recognized some time ago.
        caller.epoch = min(caller.epoch, known.epoch)
        caller.ends.add(end)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            caller.ends.discard(end)
            if not caller.ends and self._callers.get(known.credentials) is caller:
                del self._callers[known.credentials]
            if not self._callers and self._task is not None:
                self._task.cancel()
                self._task = None

    @contextmanager
    def until_revoked(self, connection: HTTPConnection) -> Iterator[None]:
        """What is waited for inside is given up when the caller is no longer who he was. Raises NotAuthenticated then."""
        task = asyncio.current_task()
        assert task is not None
        is_over = False

        def give_up() -> None:
            nonlocal is_over
            is_over = True
            task.cancel()

        try:
            with self.hold(connection, give_up):
                yield
        except asyncio.CancelledError:
            # As in asyncio.timeout: somebody else may have cancelled the task, too.
            if is_over and task.uncancel() <= 0:
                raise NotAuthenticated from None
            raise
        if is_over:
            task.uncancel()
            raise NotAuthenticated

    async def _run(self) -> None:
        with self._hub.listener(wakeups.ACCOUNTS) as changed:
            while True:
                try:
                    await asyncio.wait_for(changed.wait(), _LOOK_SECONDS)
                except TimeoutError:
                    pass
                is_told = changed.is_set()
                changed.clear()
                try:
                    await self._recognizer.ensure_current(at_once=is_told)
                    await self._look_again()
                except Unavailable:
                    pass  # nobody can be told anything new either
                except Exception:
                    log.exception("vigil_interrupted")

    async def _look_again(self) -> None:
        now, epoch = self._monotonic(), self._recognizer.epoch
        doubtful = [each for each in self._callers.values() if each.epoch != epoch or each.holds_until <= now]
        places = asyncio.Semaphore(_LOOK_UPS)

        async def look(caller: _Caller) -> None:
            async with places:
                await self._look_at(caller)

        if doubtful:
            await asyncio.gather(*map(look, doubtful))

    async def _look_at(self, caller: _Caller) -> None:
        known: Remembered | None
        try:
            known = await self._recognizer.recognize(caller.connection)
        except Unavailable:
            return
        except SyncError:
            known = None
        if known is None or known.principal != caller.principal:
            for end in tuple(caller.ends):
                end()
            caller.ends.clear()
            return
        caller.holds_until, caller.epoch = known.holds_until, known.epoch
