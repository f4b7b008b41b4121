"""The cloud's outbox for edges over HTTP: an edge polls, and may wait until there is something (wire-protocol 2.5, 8.1)."""

from __future__ import annotations

from starlette.requests import Request

from common.domain.ids import NodeKey
from common.protocol.messages import PollItem
from common.rest.draining import DRAIN, Draining
from common.rest.transactions import Transactions
from common.rest.waiting import departure_of, wait_for_either
from common.runtime.hub import Hub
from common.sync import wakeups
from common.sync.ports import Clock, UnitOfWork
from common.sync.receiver import Receiver
from common.sync.sender import Sender

#: Messages in one answer; the edge polls again at once while there are more.
MAX_ITEMS = 100

#: Without a wake-up, a waiting poll looks at the database this often: the guarantee behind the hints.
RECHECK_SECONDS = 15.0


class Outbox:
    """Collects what is due for a node."""

    def __init__(
        self,
        transactions: Transactions,
        sender: Sender,
        receiver: Receiver,
        hub: Hub,
        draining: Draining,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._sender = sender
        self._receiver = receiver
        self._hub = hub
        self._draining = draining
        self._clock = clock

    async def poll(self, node: NodeKey, wait_seconds: float, request: Request) -> list[PollItem]:
        """What is due for `node`; when nothing is, after waiting up to `wait_seconds` for it.

        Holds neither a thread nor a database connection while it waits, and takes nothing for a caller who has gone.
        """
        deadline = self._clock.monotonic() + wait_seconds
        if wait_seconds <= 0:
            return (await self._collect(node))[0]
        with self._hub.listener(DRAIN, *wakeups.topics_of_node(node)) as woken, departure_of(request) as gone:
            while True:
                woken.clear()
                items, next_due_seconds = await self._collect(node)
                left = deadline - self._clock.monotonic()
                if items or left <= 0 or self._draining.has_begun or gone.done():
                    return items
                await wait_for_either(woken, gone, min(left, next_due_seconds))
                if gone.done():
                    return []

    async def _collect(self, node: NodeKey) -> tuple[list[PollItem], float]:
        """Due messages, or how long there will be none unless somebody is woken."""
        due, next_due_seconds = await self._transactions.read(lambda uow: self._look(uow, node))
        if not due:
            return [], next_due_seconds
        items = await self._transactions.write(lambda uow: self._claim(uow, node))
        # Another replica's poll may have been quicker; not at once again, or two pollers could spin.
        return items, 0.05

    def _look(self, uow: UnitOfWork, node: NodeKey) -> tuple[bool, float]:
        now_ms = self._clock.now_ms()
        if uow.deliveries.has_due(node, now_ms) or uow.receptions.has_answers(node, now_ms):
            return True, 0.0
        upcoming = [
            at for at in (uow.deliveries.next_due_at(node), uow.receptions.next_answer_at(node)) if at is not None
        ]
        seconds = (min(upcoming) - now_ms) / 1000 if upcoming else RECHECK_SECONDS
        return False, min(max(seconds, 0.01), RECHECK_SECONDS)

    def _claim(self, uow: UnitOfWork, node: NodeKey) -> list[PollItem]:
        items = [PollItem(o.message.value, o.meta) for o in self._sender.claim(uow, node, MAX_ITEMS)]
        answers = self._receiver.claim_answers(uow, node, MAX_ITEMS)
        items += [PollItem(owed.answer.value, owed.meta) for owed in answers]
        return items
