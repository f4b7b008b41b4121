"""The stores of webhooks in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from common.domain.webhooks import CALL_RETRY, Attempt, Webhook, WebhookEvent
from common.sync.webhook_ports import DeadLetter, QueueReport
from tests.support.memory_tables import MemoryTables
from tests.support.memory_webhook_rows import Line, Queued, Registration


class MemoryWebhookStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def list_of_type(self, org: str, object_type: str) -> list[Webhook]:
        return [each.webhook for each in self._of_org(org) if each.webhook.object_type == object_type]

    def save(self, webhook: Webhook) -> None:
        for each in self._of_org(webhook.org):
            known = each.webhook
            if (known.object_type, known.url) == (webhook.object_type, webhook.url):
                renewed = replace(known, format=webhook.format, secret=webhook.secret)
                self._tables.webhooks.put(known.id, replace(each, webhook=renewed))
                return
        self._tables.webhooks.put(webhook.id, Registration(webhook))

    def remove(self, webhook_id: int) -> None:
        remove(self._tables, webhook_id)

    def report_of_org(self, org: str) -> list[QueueReport]:
        return [self._report(each) for each in self._of_org(org)]

    def _of_org(self, org: str) -> list[Registration]:
        found = [each for each in self._tables.webhooks if each.webhook.org == org]
        return sorted(found, key=lambda each: (each.webhook.object_type, each.webhook.url))

    def _report(self, each: Registration) -> QueueReport:
        events = [e for e in self._tables.webhook_events if e.event.webhook_id == each.webhook.id]
        queued = [e.event.queued_at_ms for e in events if e.died_at_ms is None]
        return QueueReport(
            each.webhook,
            len(queued),
            min(queued, default=None),
            len(events) - len(queued),
            each.last_error,
            each.last_error_at_ms,
        )


class MemoryWebhookQueue:
    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._lines = tables.webhook_lines
        self._events = tables.webhook_events

    def add_many(self, events: Sequence[WebhookEvent], now_ms: int) -> None:
        for event in events:
            self._open(event, now_ms)
            self._events.put(event.id, Queued(event))

    def first_due(self) -> list[tuple[int, int]]:
        first: dict[int, int] = {}
        for line in self._lines:
            first[line.webhook_id] = min(line.due_at_ms, first.get(line.webhook_id, line.due_at_ms))
        return sorted(first.items())

    def claim(self, webhook_id: int, now_ms: int, lease_until_ms: int, limit: int) -> list[Attempt]:
        registration = self._tables.webhooks.find(webhook_id)
        if registration is None:
            remove(self._tables, webhook_id)
            return []
        due = [
            line
            for line in self._lines
            if line.webhook_id == webhook_id and not now_ms < line.due_at_ms <= now_ms + CALL_RETRY.longest_ms
        ]
        attempts = []
        for line in sorted(due, key=lambda line: line.due_at_ms)[:limit]:
            event = self._queued(line)[0]
            called = replace(line, due_at_ms=lease_until_ms, attempts=line.attempts + 1, called_event_id=event.id)
            self._save(called)
            attempts.append(Attempt(registration.webhook, event, called.attempts))
        return attempts

    def is_current(self, attempt: Attempt) -> bool:
        line = self._find(attempt.event)
        return line is not None and (line.attempts, line.called_event_id) == (attempt.number, attempt.event.id)

    def done(self, attempt: Attempt, now_ms: int) -> None:
        self._events.remove(attempt.event.id)
        self._advance(attempt.event, now_ms)

    def postpone(self, attempt: Attempt, due_at_ms: int) -> None:
        if line := self._find(attempt.event):
            self._save(replace(line, due_at_ms=due_at_ms, called_event_id=None))

    def bury(self, attempt: Attempt, reason: str, now_ms: int) -> None:
        if queued := self._events.find(attempt.event.id):
            self._events.put(attempt.event.id, replace(queued, reason=reason, died_at_ms=now_ms))
        self._advance(attempt.event, now_ms)

    def note_failure(self, webhook_id: int, reason: str, now_ms: int) -> None:
        if each := self._tables.webhooks.find(webhook_id):
            self._tables.webhooks.put(webhook_id, replace(each, last_error=reason, last_error_at_ms=now_ms))

    def hurry(self, webhook_id: int, now_ms: int) -> None:
        for line in self._lines:
            if line.webhook_id == webhook_id and line.called_event_id is None:
                self._save(replace(line, due_at_ms=now_ms))

    def list_dead(self, org: str, after: int, limit: int) -> list[DeadLetter]:
        dead = []
        for each in sorted(self._events, key=lambda each: each.event.id):
            registration = self._tables.webhooks.find(each.event.webhook_id)
            is_beyond = each.event.object.org == org and each.event.id > after
            if each.died_at_ms is not None and registration is not None and is_beyond:
                dead.append(DeadLetter(each.event, registration.webhook, each.reason, each.died_at_ms))
        return dead[:limit]

    def revive(self, org: str, event_id: int, now_ms: int) -> bool:
        dead = self._find_dead(org, event_id)
        if dead is None:
            return False
        line = self._open(dead.event, now_ms)
        if line.called_event_id is None:
            self._save(replace(line, due_at_ms=now_ms))
        self._events.put(event_id, Queued(replace(dead.event, queued_at_ms=now_ms)))
        return True

    def remove_dead(self, org: str, event_id: int) -> bool:
        return self._find_dead(org, event_id) is not None and self._events.remove(event_id)

    def prune_dead(self, before_ms: int, limit: int) -> int:
        dead = [(each.died_at_ms, each.event.id) for each in self._events if each.died_at_ms is not None]
        old = [event_id for died_at_ms, event_id in sorted(dead) if died_at_ms < before_ms][:limit]
        for event_id in old:
            self._events.remove(event_id)
        return len(old)

    def _open(self, event: WebhookEvent, now_ms: int) -> Line:
        line = self._find(event) or Line(event.webhook_id, event.object, now_ms)
        self._save(line)
        return line

    def _advance(self, event: WebhookEvent, now_ms: int) -> None:
        line = self._find(event)
        if line is not None and self._queued(line):
            self._save(Line(line.webhook_id, line.object, now_ms))
        else:
            self._lines.remove((event.webhook_id, event.object))

    def _queued(self, line: Line) -> list[WebhookEvent]:
        key = (line.webhook_id, line.object)
        return [e.event for e in self._events if e.died_at_ms is None and (e.event.webhook_id, e.event.object) == key]

    def _find(self, event: WebhookEvent) -> Line | None:
        return self._lines.find((event.webhook_id, event.object))

    def _find_dead(self, org: str, event_id: int) -> Queued | None:
        each = self._events.find(event_id)
        return each if each is not None and each.died_at_ms is not None and each.event.object.org == org else None

    def _save(self, line: Line) -> None:
        self._lines.put((line.webhook_id, line.object), line)


def remove(tables: MemoryTables, webhook_id: int) -> None:
    tables.webhooks.remove(webhook_id)
    for line in list(tables.webhook_lines):
        if line.webhook_id == webhook_id:
            tables.webhook_lines.remove((webhook_id, line.object))
    for each in list(tables.webhook_events):
        if each.event.webhook_id == webhook_id:
            tables.webhook_events.remove(each.event.id)
