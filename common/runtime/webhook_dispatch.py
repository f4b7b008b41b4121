"""The worker of webhooks: claims calls that are due, makes a few at once, settles each by its outcome.

Receivers share a limited number of calls at once. One that does not answer, or takes its time, soon has one of them at
most, and all such receivers together no more than half: the others always find room.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from common.domain.errors import SyncError
from common.domain.webhooks import CALL_RETRY, Attempt, Fate, Outcome, masked_url
from common.runtime.config.webhooks import WebhookSettings
from common.runtime.hub import Hub
from common.runtime.logs import fields
from common.runtime.worker import Worker
from common.sync import wakeups
from common.sync.ports import Clock, Database, UnitOfWork
from common.sync.webhooks import WebhookCalls

log = logging.getLogger(__name__)

#: What settling may take beyond the call itself, before another process repeats it.
_LEASE_MARGIN_MS = 5_000

_CALLS_AT_ONCE = 8
_CALLS_OF_WEBHOOK = 2
_QUICK_SECONDS = 1.0
#: A wake-up that got lost costs no more than this.
_LONGEST_PAUSE_MS = 60_000.0
_RIVAL_PAUSE_MS = 1_000.0


def webhook_worker(
    database: Database, settings: WebhookSettings, clock: Clock, hub: Hub, random: Callable[[], float]
) -> Worker:
    """The worker of one node. Several replicas on one database share the work."""

    def caller() -> Caller:
        from common.runtime.webhook_call import WebhookCaller

        return WebhookCaller(settings.policy, settings.timeout_seconds, clock.now_ms)

    calls = WebhookCalls(
        clock.now_ms,
        random,
        lease_ms=settings.timeout_seconds * 1000 + _LEASE_MARGIN_MS,
        give_up_after_ms=settings.give_up_seconds * 1000,
    )
    dispatcher = WebhookDispatcher(database, calls, caller, clock, lambda: hub.publish([wakeups.WEBHOOKS]))
    return Worker("webhooks", dispatcher.turn, hub, wakeups.WEBHOOKS)


class Caller(Protocol):
    def call(self, attempt: Attempt) -> Outcome:
        """Make the call, within the time limit. Raises nothing that a receiver can cause."""
        ...


class Slots:
    """Which webhook may be called how often at once, by how it answered last."""

    def __init__(self, total: int = _CALLS_AT_ONCE, of_webhook: int = _CALLS_OF_WEBHOOK) -> None:
        self._total = total
        self._of_webhook = of_webhook
        self._calls: Counter[int] = Counter()
        #: Those that do not answer at all are slow as well.
        self._slow: set[int] = set()
        self._silent: set[int] = set()

    def free(self, webhook_id: int) -> int:
        """How many calls of this webhook may begin."""
        left = self._total - self._calls.total()
        if webhook_id not in self._slow:
            return max(0, min(left, self._of_webhook - self._calls[webhook_id]))
        slow_calls = sum(self._calls[each] for each in self._slow)
        return max(0, min(left, 1 - self._calls[webhook_id], self._total // 2 - slow_calls))

    def take(self, webhook_id: int) -> None:
        self._calls[webhook_id] += 1

    def give_back(self, webhook_id: int, *, is_answered: bool, took_seconds: float) -> bool:
        """The call is over; whether a webhook that did not answer before does now."""
        self._calls[webhook_id] -= 1
        is_back = is_answered and webhook_id in self._silent
        _put(self._silent, webhook_id, is_member=not is_answered)
        _put(self._slow, webhook_id, is_member=not is_answered or took_seconds > _QUICK_SECONDS)
        return is_back

    def forget_all_but(self, webhook_ids: set[int]) -> None:
        """What is known about webhooks that nothing is queued for is of no use."""
        self._calls = +self._calls
        kept = webhook_ids | self._calls.keys()
        self._slow &= kept
        self._silent &= kept


def _put(members: set[int], member: int, *, is_member: bool) -> None:
    (members.add if is_member else members.discard)(member)


def in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="webhook", daemon=True).start()


class WebhookDispatcher:
    """A worker's turns. `wake` brings the next turn; `start` runs a call beside it."""

    def __init__(
        self,
        database: Database,
        calls: WebhookCalls,
        make_caller: Callable[[], Caller],
        clock: Clock,
        wake: Callable[[], None],
        start: Callable[[Callable[[], None]], None] = in_a_thread,
    ) -> None:
        """`make_caller` is called when there is something to call for the first time."""
        self._database = database
        self._calls = calls
        self._make_caller = make_caller
        self._clock = clock
        self._wake = wake
        self._start = start
        self._caller: Caller | None = None
        self._slots = Slots()
        self._lock = threading.Lock()

    def turn(self) -> float:
        """Begin the calls that are due and have room; seconds until the next one is due."""
        waiting = self._database.read(lambda uow: uow.webhook_queue.first_due())
        with self._lock:
            self._slots.forget_all_but({webhook_id for webhook_id, _ in waiting})
        now_ms = self._clock.now_ms()
        pause_ms = _LONGEST_PAUSE_MS
        for webhook_id, due_at_ms in sorted(waiting, key=lambda each: each[1]):
            if now_ms < due_at_ms <= now_ms + CALL_RETRY.longest_ms:
                pause_ms = min(pause_ms, due_at_ms - now_ms)
            else:
                pause_ms = min(pause_ms, self._begin(webhook_id))
        return pause_ms / 1000

    def _begin(self, webhook_id: int) -> float:
        """Call a webhook for which something is due; in how many ms to look again, if no call under way brings a turn."""
        with self._lock:
            room = self._slots.free(webhook_id)
        if room == 0:
            return math.inf

        attempts = self._database.write(lambda uow: self._calls.claim(uow, webhook_id, room))
        for attempt in attempts:
            with self._lock:
                self._slots.take(webhook_id)
            self._start(lambda attempt=attempt: self._call(attempt))  # type: ignore[misc]
        # Nothing to claim: another replica has it.
        return math.inf if attempts else _RIVAL_PAUSE_MS

    def _call(self, attempt: Attempt) -> None:
        began_at = self._clock.monotonic()
        outcome = Outcome(None, "The call could not be made.")
        try:
            outcome = self._the_caller().call(attempt)
        except Exception:
            log.exception("webhook_call_failed", extra=fields(webhook=attempt.webhook.id))
        took_seconds = self._clock.monotonic() - began_at
        with self._lock:
            is_back = self._slots.give_back(
                attempt.webhook.id, is_answered=outcome.status is not None, took_seconds=took_seconds
            )
        try:
            self._settle(attempt, outcome, is_back=is_back)
        except SyncError as error:
            # The call is repeated when its lease is over.
            log.warning("webhook_not_settled", extra=fields(webhook=attempt.webhook.id, error=str(error)))
        self._wake()

    def _settle(self, attempt: Attempt, outcome: Outcome, *, is_back: bool) -> None:
        def settle(uow: UnitOfWork) -> Fate | None:
            fate = self._calls.settle(uow, attempt, outcome)
            if is_back:
                self._calls.receiver_is_back(uow, attempt.webhook.id)
            return fate

        fate = self._database.write(settle)
        if fate is Fate.DONE:
            return
        details = fields(
            webhook=masked_url(attempt.webhook.url),
            object=str(attempt.event.object),
            instance=attempt.event.instance,
            attempt=attempt.number,
            reason=outcome.reason,
        )
        if fate is Fate.DEAD:
            log.warning("webhook_given_up", extra=details)
        elif attempt.number == 1:
            log.info("webhook_failed", extra=details)

    def _the_caller(self) -> Caller:
        if self._caller is None:
            self._caller = self._make_caller()
        return self._caller
