"""The queue of webhook calls.

A line, the row of a webhook and an object, says when its oldest event is due. Whoever adds to a line or takes from it
holds that row, so no event is left in a line that nobody knows of.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.sql.expression import ClauseElement

from common.domain.ids import ObjectKey
from common.domain.webhooks import CALL_RETRY, Attempt, Webhook, WebhookEvent
from common.store.inserts import Upsert
from common.store.keys import KEY, key_values
from common.store.session import Row, Session
from common.store.statements import (
    ALWAYS,
    NO_OFFSET,
    Bulk,
    RowLock,
    Statement,
    Values,
    constant,
    matching,
    parameter,
    upsert,
)
from common.store.webhook_tables import HAS_DUE_TIME, webhook_events, webhook_lines, webhooks
from common.store.webhooks import COLUMNS as WEBHOOK_COLUMNS
from common.store.webhooks import DEAD, FIND, QUEUED, remove, webhook_of
from common.sync.webhook_ports import DeadLetter

_LINE = ("webhook_id", *KEY)
_LINE_COLUMNS = [webhook_lines.c[name] for name in _LINE]
_EVENT_COLUMNS = [
    webhook_events.c[name] for name in ("event_id", "webhook_id", *KEY, "instance", "body", "queued_at_ms")
]
_OF_LINE = matching(webhook_lines, *_LINE)
_OF_EVENT = matching(webhook_events, "event_id")
_DUE = webhook_lines.c.due_at_ms
_LIMIT = parameter("limit")
_NOBODY = sa.null()


def _opening(values: Values) -> ClauseElement:
    columns = [*_LINE, "due_at_ms", "attempts"]
    selected = sa.select(*[values[name] for name in columns[:-1]], constant(0)).where(ALWAYS)
    # A line that is there already stays as it is, and is held from now on.
    return Upsert(
        webhook_lines,
        columns,
        selected.order_by(*[values[n] for n in (*KEY, "webhook_id")]),
        key=("id", "type", "org", "webhook_id"),
    )


_OPEN_LINES = Bulk([*_LINE_COLUMNS, _DUE], _opening)
_ADD_EVENTS = upsert(webhook_events, "event_id", is_replacing=False)


def _first_due() -> Statement:
    """Steps from webhook to webhook, so that a long backlog costs no more than a short one."""
    lines = webhook_lines.c.webhook_id
    first = sa.select(sa.func.min(lines).label("webhook_id")).where(HAS_DUE_TIME).cte("waiting", recursive=True)
    following = sa.select(sa.func.min(lines)).where(lines > first.c.webhook_id, HAS_DUE_TIME).scalar_subquery()
    waiting = first.union_all(sa.select(following).where(first.c.webhook_id.is_not(None)))
    due = sa.select(sa.func.min(_DUE)).where(lines == waiting.c.webhook_id, HAS_DUE_TIME).scalar_subquery()
    return Statement(sa.select(waiting.c.webhook_id, due).where(waiting.c.webhook_id.is_not(None)))


_FIRST_DUE = _first_due()

#: Due, or due further ahead than any retry: the clock was wrong when that was decided.
_IS_DUE = sa.or_(parameter("now_ms") >= _DUE, parameter("now_ms") + constant(CALL_RETRY.longest_ms) < _DUE)
_CLAIM = Statement(
    sa.select(*[webhook_lines.c[name] for name in KEY], webhook_lines.c.attempts)
    .where(matching(webhook_lines, "webhook_id"), HAS_DUE_TIME, _IS_DUE)
    .order_by(_DUE)
    .limit(_LIMIT)
    .offset(NO_OFFSET),
    lock=RowLock(webhook_lines, skip_locked=True),
)


_OLDEST = Statement(
    sa.select(*_EVENT_COLUMNS)
    .where(matching(webhook_events, *_LINE), webhook_events.c.state == QUEUED)
    .order_by(webhook_events.c.position)
    .limit(constant(1))
    .offset(NO_OFFSET)
)
_LEASE = Statement(
    sa.update(webhook_lines)
    .where(_OF_LINE)
    .values(
        due_at_ms=parameter("due_at_ms"),
        called_event_id=parameter("called_event_id"),
        attempts=webhook_lines.c.attempts + constant(1),
    )
)
_FIND_LINE = Statement(
    sa.select(webhook_lines.c.attempts, webhook_lines.c.called_event_id).where(_OF_LINE), lock=RowLock(webhook_lines)
)
_HAS_EVENTS = Statement(
    sa.select(sa.exists().where(matching(webhook_events, *_LINE), webhook_events.c.state == QUEUED))
)
_NEXT_IN_LINE = Statement(
    sa.update(webhook_lines)
    .where(_OF_LINE)
    .values(due_at_ms=parameter("due_at_ms"), attempts=constant(0), called_event_id=_NOBODY)
)
_POSTPONE = Statement(
    sa.update(webhook_lines).where(_OF_LINE).values(due_at_ms=parameter("due_at_ms"), called_event_id=_NOBODY)
)
_CLOSE_LINE = Statement(sa.delete(webhook_lines).where(_OF_LINE))
_HURRY_LINE = Statement(
    sa.update(webhook_lines)
    .where(_OF_LINE, webhook_lines.c.called_event_id.is_(None))
    .values(due_at_ms=parameter("now_ms"))
)
_HURRY = Statement(
    sa.update(webhook_lines)
    .where(matching(webhook_lines, "webhook_id"), HAS_DUE_TIME, webhook_lines.c.called_event_id.is_(None))
    .values(due_at_ms=parameter("now_ms"))
)
_NOTE_FAILURE = Statement(
    sa.update(webhooks)
    .where(matching(webhooks, "webhook_id"))
    .values(last_error=parameter("reason", sa.Text), last_error_at_ms=parameter("now_ms"))
)

_REMOVE_EVENT = Statement(sa.delete(webhook_events).where(_OF_EVENT))
_BURY = Statement(
    sa.update(webhook_events)
    .where(_OF_EVENT)
    .values(state=DEAD, reason=parameter("reason", sa.Text), died_at_ms=parameter("now_ms"))
)
_REVIVE = Statement(
    sa.update(webhook_events)
    .where(_OF_EVENT)
    .values(state=QUEUED, queued_at_ms=parameter("now_ms"), reason=_NOBODY, died_at_ms=_NOBODY)
)
_FIND_EVENT = Statement(
    sa.select(webhook_events.c.org, webhook_events.c.state, webhook_events.c.webhook_id, *_EVENT_COLUMNS[2:5]).where(
        _OF_EVENT
    ),
    lock=RowLock(webhook_events),
)
_LIST_DEAD = Statement(
    sa.select(*_EVENT_COLUMNS, webhook_events.c.reason, webhook_events.c.died_at_ms, *WEBHOOK_COLUMNS)
    .where(
        matching(webhook_events, "org"),
        webhook_events.c.state == DEAD,
        webhook_events.c.event_id > parameter("after"),
        webhooks.c.webhook_id == webhook_events.c.webhook_id,
    )
    .order_by(webhook_events.c.event_id)
    .limit(_LIMIT)
    .offset(NO_OFFSET)
)
_LONG_DEAD = (
    sa.select(webhook_events.c.position)
    .where(webhook_events.c.state == DEAD, webhook_events.c.died_at_ms < parameter("before_ms"))
    .order_by(webhook_events.c.died_at_ms)
    .limit(_LIMIT)
    .offset(NO_OFFSET)
)
_PRUNE_DEAD = Statement(sa.delete(webhook_events).where(webhook_events.c.position.in_(_LONG_DEAD)))


class SqlWebhookQueue:
    """The `WebhookQueue` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_many(self, events: Sequence[WebhookEvent], now_ms: int) -> None:
        lines = {(event.webhook_id, event.object): {**_line_of(event), "due_at_ms": now_ms} for event in events}
        self._session.run_many(_OPEN_LINES, list(lines.values()))
        self._session.run_many(_ADD_EVENTS, [_row_of(event) for event in events])

    def first_due(self) -> list[tuple[int, int]]:
        return [(webhook_id, due_at_ms) for webhook_id, due_at_ms in self._session.fetch(_FIRST_DUE, {})]

    def claim(self, webhook_id: int, now_ms: int, lease_until_ms: int, limit: int) -> list[Attempt]:
        found = self._session.fetch_one(FIND, {"webhook_id": webhook_id})
        if found is None:
            remove(self._session, webhook_id)
            return []
        webhook = webhook_of(found)
        due = self._session.fetch(_CLAIM, {"webhook_id": webhook_id, "now_ms": now_ms, "limit": limit})
        return [self._lease(webhook, ObjectKey(*key), attempts + 1, lease_until_ms) for *key, attempts in due]

    def is_current(self, attempt: Attempt) -> bool:
        row = self._session.fetch_one(_FIND_LINE, _line_of(attempt.event))
        return row is not None and tuple(row) == (attempt.number, attempt.event.id)

    def done(self, attempt: Attempt, now_ms: int) -> None:
        self._session.run(_REMOVE_EVENT, {"event_id": attempt.event.id})
        self._advance(attempt.event, now_ms)

    def postpone(self, attempt: Attempt, due_at_ms: int) -> None:
        self._session.run(_POSTPONE, {**_line_of(attempt.event), "due_at_ms": due_at_ms})

    def bury(self, attempt: Attempt, reason: str, now_ms: int) -> None:
        self._session.run(_BURY, {"event_id": attempt.event.id, "reason": reason, "now_ms": now_ms})
        self._advance(attempt.event, now_ms)

    def note_failure(self, webhook_id: int, reason: str, now_ms: int) -> None:
        self._session.run(_NOTE_FAILURE, {"webhook_id": webhook_id, "reason": reason, "now_ms": now_ms})

    def hurry(self, webhook_id: int, now_ms: int) -> None:
        self._session.run(_HURRY, {"webhook_id": webhook_id, "now_ms": now_ms})

    def list_dead(self, org: str, after: int, limit: int) -> list[DeadLetter]:
        rows = self._session.fetch(_LIST_DEAD, {"org": org, "after": after, "limit": limit})
        return [_dead_letter_of(row) for row in rows]

    def revive(self, org: str, event_id: int, now_ms: int) -> bool:
        line = self._line_of_dead(org, event_id)
        if line is None:
            return False
        self._session.run_many(_OPEN_LINES, [{**line, "due_at_ms": now_ms}])
        self._session.run(_HURRY_LINE, {**line, "now_ms": now_ms})
        self._session.run(_REVIVE, {"event_id": event_id, "now_ms": now_ms})
        return True

    def remove_dead(self, org: str, event_id: int) -> bool:
        if self._line_of_dead(org, event_id) is None:
            return False
        self._session.run(_REMOVE_EVENT, {"event_id": event_id})
        return True

    def prune_dead(self, before_ms: int, limit: int) -> int:
        return self._session.run(_PRUNE_DEAD, {"before_ms": before_ms, "limit": limit})

    def _lease(self, webhook: Webhook, key: ObjectKey, number: int, until_ms: int) -> Attempt:
        line = {"webhook_id": webhook.id, **key_values(key)}
        row = self._session.fetch_one(_OLDEST, line)
        assert row is not None, "a line has an event"
        event = _event_of(row)
        self._session.run(_LEASE, {**line, "due_at_ms": until_ms, "called_event_id": event.id})
        return Attempt(webhook, event, number)

    def _advance(self, event: WebhookEvent, now_ms: int) -> None:
        line = _line_of(event)
        row = self._session.fetch_one(_HAS_EVENTS, line)
        if row is not None and row[0]:
            self._session.run(_NEXT_IN_LINE, {**line, "due_at_ms": now_ms})
        else:
            self._session.run(_CLOSE_LINE, line)

    def _line_of_dead(self, org: str, event_id: int) -> dict[str, object] | None:
        row = self._session.fetch_one(_FIND_EVENT, {"event_id": event_id})
        if row is None or tuple(row[:2]) != (org, "dead"):
            return None
        return dict(zip(_LINE, row[2:], strict=True))


def _line_of(event: WebhookEvent) -> dict[str, object]:
    return {"webhook_id": event.webhook_id, **key_values(event.object)}


def _row_of(event: WebhookEvent) -> dict[str, object]:
    return {
        "event_id": event.id,
        **_line_of(event),
        "instance": event.instance,
        "body": event.body,
        "state": "queued",
        "queued_at_ms": event.queued_at_ms,
        "reason": None,
        "died_at_ms": None,
    }


def _event_of(row: Row) -> WebhookEvent:
    event_id, webhook_id, org, object_type, object_id, instance, body, queued_at_ms = row
    return WebhookEvent(event_id, webhook_id, ObjectKey(org, object_type, object_id), instance, body, queued_at_ms)


def _dead_letter_of(row: Row) -> DeadLetter:
    events = len(_EVENT_COLUMNS)
    reason, died_at_ms = row[events : events + 2]
    return DeadLetter(_event_of(row[:events]), webhook_of(row[events + 2 :]), reason, died_at_ms)
