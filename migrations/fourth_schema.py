"""The fourth revision: webhooks and their queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("webhook_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *[_name(name) for name in ("org", "type", "url", "format")],
        sa.Column("secret", sa.Text(), nullable=False),
        _number("created_at_ms"),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("last_error_at_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("webhook_id", name="pk_webhooks"),
        sa.UniqueConstraint("org", "type", "url", name="uq_webhooks_url"),
    )
    op.create_table(
        "webhook_lines",
        *[_name(name) for name in ("id", "type", "org")],
        sa.Column("webhook_id", sa.BigInteger(), autoincrement=False, nullable=False),
        _number("due_at_ms"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="of the oldest event"),
        sa.Column(
            "called_event_id", sa.BigInteger(), comment="the event a call is under way for; null between attempts"
        ),
        sa.PrimaryKeyConstraint("id", "type", "org", "webhook_id", name="pk_webhook_lines"),
    )
    _create_partial_index(
        "ix_webhook_lines_due", "webhook_lines", ["webhook_id", "due_at_ms", "id", "type", "org"], "due_at_ms >= 0"
    )
    op.create_table(
        "webhook_events",
        sa.Column("position", _ROW_NUMBER, nullable=False),
        _number("event_id"),
        _number("webhook_id"),
        *[_name(name) for name in ("org", "type", "id")],
        _number("instance"),
        sa.Column("body", sa.Text(), nullable=False),
        _name("state"),
        _number("queued_at_ms"),
        sa.Column("reason", sa.Text(), comment="why it is dead"),
        sa.Column("died_at_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("position", name="pk_webhook_events"),
        sa.UniqueConstraint("event_id", name="uq_webhook_events_event_id"),
    )
    line = ["webhook_id", "state", "org", "type", "id", "position"]
    op.create_index("ix_webhook_events_line", "webhook_events", line)
    is_dead = "state = 'dead'"
    _create_partial_index("ix_webhook_events_dead", "webhook_events", ["org", "event_id"], is_dead)
    _create_partial_index("ix_webhook_events_died", "webhook_events", ["died_at_ms", "position"], is_dead)


def downgrade() -> None:
    for table in ("webhook_events", "webhook_lines", "webhooks"):
        op.drop_table(table)


def _name(name: str) -> sa.Column[str]:
    return sa.Column(name, _NAME, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
