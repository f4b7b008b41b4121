"""The edge's conversation with the cloud, one turn at a time: register, poll, apply, reply."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from random import random

from common.domain.errors import Ignored, NotAuthenticated, NotFound, ProtocolViolation, SyncError, UnknownNode
from common.protocol import codec
from common.protocol.messages import PollItem
from common.protocol.routes import Capability
from common.runtime.logs import fields
from common.sync.ports import Database
from ess.services.cloud import Cloud
from ess.services.credentials import Credentials
from ess.services.inbox import Inbox, Reply
from ess.services.session import Session

log = logging.getLogger(__name__)


class Link:
    """Is the session up, and what may be used in it. Shared by all workers that talk to the cloud."""

    def __init__(self) -> None:
        self._up = threading.Event()
        self._when_up: list[Callable[[], None]] = []
        self.capabilities: frozenset[str] = frozenset()

    @property
    def is_up(self) -> bool:
        return self._up.is_set()

    def has(self, capability: str) -> bool:
        return capability in self.capabilities

    def when_up(self, call: Callable[[], None]) -> None:
        """Have `call` called each time the session comes up, before the workers are woken."""
        self._when_up.append(call)

    def set_up(self, capabilities: frozenset[str]) -> None:
        self.capabilities = capabilities
        for call in self._when_up:
            call()
        self._up.set()

    def set_down(self) -> None:
        self._up.clear()


class Poller:
    """The worker that keeps the session alive. Everything else waits for it."""

    def __init__(
        self,
        client: Cloud,
        database: Database,
        session: Session,
        inbox: Inbox,
        link: Link,
        wait_seconds: int,
        interval_seconds: float,
        credentials: Credentials,
    ) -> None:
        self._client = client
        self._database = database
        self._session = session
        self._inbox = inbox
        self._link = link
        self._wait_seconds = wait_seconds
        self._interval_seconds = interval_seconds
        self._credentials = credentials
        self._idle_polls = 0

    def turn(self) -> float:
        """Poll once, registering first when needed. Raises Unavailable and other SyncErrors; the session is down then."""
        try:
            if not self._link.is_up:
                self._credentials.make_ready()
                self._register()
            pause_seconds = self._poll()
            self._credentials.keep_fresh()
            return pause_seconds
        except SyncError as error:
            if isinstance(error, NotAuthenticated):
                self._credentials.were_refused()
            if self._link.is_up:
                log.warning("link_down")
            self._link.set_down()
            raise

    def _register(self) -> None:
        as_new = self._database.read(self._session.is_first)
        capabilities = None if as_new else self._register_again()
        if capabilities is None:
            capabilities, as_new = self._client.register_new(), True
        self._link.set_up(capabilities)
        self._database.write(lambda uow: self._session.link_up(uow, as_new=as_new))
        log.info("link_up", extra=fields(as_new=as_new, capabilities=sorted(capabilities)))

    def _register_again(self) -> frozenset[str] | None:
        """None when the cloud does not know this node."""
        try:
            return self._client.register()
        except (NotFound, UnknownNode):
            return None

    def _poll(self) -> float:
        can_wait = self._link.has(Capability.WAIT) and self._wait_seconds > 0
        items = self._client.poll(self._wait_seconds if can_wait else 0)
        if items:
            self._idle_polls = 0
            self._apply(items)
            return 0.0
        self._idle_polls += 1
        return 0.0 if can_wait else self._pause()

    def _apply(self, items: list[PollItem]) -> None:
        replies = self._database.write(lambda uow: self._inbox.accept_many(uow, items))
        for reply in replies:
            self._reply(reply)

    def _reply(self, reply: Reply) -> None:
        body = codec.encode_feedback(reply.feedback) if reply.feedback else None
        try:
            self._client.send(reply.action, reply.key, reply.meta.instance_id, reply.meta.data_id, body)
        except (Ignored, NotFound, ProtocolViolation):
            pass  # it knows already, or will repeat its message

    def _pause(self) -> float:
        """Towards a cloud without long polls: a tenth of the interval after activity, growing by a tenth per idle poll."""
        pause = min(self._idle_polls, 10) * self._interval_seconds / 10
        # Spread, so that a fleet that started together does not poll together.
        return pause * (0.9 + 0.2 * random())  # noqa: S311 - jitter
