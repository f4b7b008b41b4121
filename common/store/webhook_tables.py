"""The tables of webhooks."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, UniqueConstraint, literal_column

from common.store.columns import key, metadata, name, number, partial_index, position, text

webhooks = Table(
    "webhooks",
    metadata,
    # Not a row number: those of deleted rows come again, and receivers know repeats by such numbers.
    Column("webhook_id", BigInteger, primary_key=True, autoincrement=False),
    name("org"),
    name("type"),
    name("url"),
    name("format"),
    text("secret"),
    number("created_at_ms"),
    text("last_error"),
    Column("last_error_at_ms", BigInteger),
    UniqueConstraint("org", "type", "url", name="uq_webhooks_url"),
)

#: For each webhook and object that something is queued about: when the oldest of it is due.
webhook_lines = Table(
    "webhook_lines",
    metadata,
    # In this order, so that a look-up by key fits this index alone: see `deliveries`.
    key("id"),
    key("type"),
    key("org"),
    Column("webhook_id", BigInteger, primary_key=True, autoincrement=False),
    number("due_at_ms"),
    Column("attempts", Integer, nullable=False, comment="of the oldest event"),
    Column("called_event_id", BigInteger, comment="the event a call is under way for; null between attempts"),
    # The condition only keeps the index from look-ups by key, which do not state it.
    partial_index("ix_webhook_lines_due", "webhook_id", "due_at_ms", "id", "type", "org", where="due_at_ms >= 0"),
)

#: What statements about the lines of a webhook say, to be served by their index.
HAS_DUE_TIME = webhook_lines.c.due_at_ms >= literal_column("0", BigInteger)

webhook_events = Table(
    "webhook_events",
    metadata,
    position(),
    number("event_id"),
    number("webhook_id"),
    name("org"),
    name("type"),
    name("id"),
    number("instance"),
    text("body"),
    name("state"),
    number("queued_at_ms"),
    Column("reason", Text, comment="why it is dead"),
    Column("died_at_ms", BigInteger),
    UniqueConstraint("event_id", name="uq_webhook_events_event_id"),
    Index("ix_webhook_events_line", "webhook_id", "state", "org", "type", "id", "position"),
    partial_index("ix_webhook_events_dead", "org", "event_id", where="state = 'dead'"),
    partial_index("ix_webhook_events_died", "died_at_ms", "position", where="state = 'dead'"),
)
