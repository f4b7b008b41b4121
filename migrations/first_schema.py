"""The schema of the first revision, of both services. It is history: later changes are revisions of their own."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

_NAME = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_RANGES = "JSON: [[start, end], …] in bytes"
_TABLES = (
    "accounts",
    "counters",
    "deliveries",
    "discarded_payloads",
    "fan_outs",
    "nodes",
    "object_targets",
    "objects",
    "receptions",
    "small_payloads",
    "uploads",
)


def create() -> None:
    _create_objects()
    _create_deliveries()
    _create_receptions()
    _create_payloads()
    _create_accounts()
    if op.get_context().dialect.name == "postgresql":
        _create_what_replicas_need()


def drop() -> None:
    for table in _TABLES:
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.drop_table("payload_chunks")
        op.drop_table("payloads")
        op.execute("DROP SEQUENCE instance_numbers")


def _create_objects() -> None:
    op.create_table(
        "objects",
        *_names("org", "type", "id"),
        _number("instance"),
        *_names("status"),
        _flag("is_own"),
        _flag("is_deliverable"),
        sa.Column("audience_kind", _NAME, comment="null for objects of other nodes"),
        sa.Column("audience_type", _NAME),
        sa.Column("audience_id", _NAME),
        sa.Column("payload_name", _NAME),
        sa.Column("payload_size", sa.BigInteger()),
        sa.Column("payload_digest", sa.Text()),
        sa.Column("payload_is_small", sa.Boolean()),
        _number("remaining_receivers"),
        _number("remaining_consumers"),
        _text("meta"),
        sa.PrimaryKeyConstraint("org", "type", "id", name="pk_objects"),
    )
    op.create_index("ix_objects_status", "objects", ["status", "org", "type", "id"])
    audience = ["org", "audience_kind", "audience_type", "audience_id"]
    _create_partial_index("ix_objects_audience", "objects", audience, "audience_kind IS NOT NULL")
    _create_partial_index("ix_objects_payload", "objects", ["payload_name"], "payload_name IS NOT NULL")
    op.create_table(
        "object_targets",
        *_names("org", "type", "id", "node_type", "node_id"),
        _number("instance"),
        sa.PrimaryKeyConstraint("org", "type", "id", "node_type", "node_id", name="pk_object_targets"),
    )
    op.create_index("ix_object_targets_node", "object_targets", ["org", "node_type", "node_id"])


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        _position(),
        *_names("org", "type", "id", "node_type", "node_id"),
        _number("instance"),
        *_names("state"),
        sa.Column("due_at_ms", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _text("message"),
        _flag("was_sent"),
        sa.PrimaryKeyConstraint("position", name="pk_deliveries"),
        sa.UniqueConstraint("id", "type", "org", "node_type", "node_id", name="uq_deliveries_key"),
    )
    outbox = ["org", "node_type", "node_id", "due_at_ms", "position"]
    _create_partial_index("ix_deliveries_node", "deliveries", outbox, "node_id <> ''")
    op.create_table(
        "fan_outs",
        _position(),
        *_names("org", "type", "id"),
        _number("instance"),
        *_names("audience_kind", "audience_type", "audience_id"),
        sa.Column("audience_nodes", sa.Text(), nullable=False, comment="JSON: [[type, id], …]"),
        _flag("is_deliverable"),
        sa.Column("after_type", _NAME),
        sa.Column("after_id", _NAME),
        sa.PrimaryKeyConstraint("position", name="pk_fan_outs"),
        sa.UniqueConstraint("org", "type", "id", name="uq_fan_outs_key"),
    )
    op.create_table(
        "nodes",
        *_names("org", "type", "id"),
        _text("communication"),
        _text("code_version"),
        _flag("is_persistent"),
        sa.Column("capabilities", sa.Text(), nullable=False, comment="separated by spaces"),
        _number("registered_at_ms"),
        _number("last_seen_at_ms"),
        sa.PrimaryKeyConstraint("org", "type", "id", name="pk_nodes"),
    )


def _create_receptions() -> None:
    op.create_table(
        "receptions",
        _position(),
        *_names("org", "type", "id", "origin_org", "origin_type", "origin_id"),
        _number("instance"),
        *_names("state"),
        sa.Column("answer", sa.Text()),
        sa.Column("answer_due_at_ms", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("staged", _NAME),
        sa.Column("coverage", sa.Text(), nullable=False, comment=_RANGES),
        _text("message"),
        _text("meta"),
        sa.PrimaryKeyConstraint("position", name="pk_receptions"),
        sa.UniqueConstraint("org", "type", "id", name="uq_receptions_key"),
    )
    oldest, due = ["instance", "position"], ["answer_due_at_ms", "position"]
    origin = ["origin_org", "origin_type", "origin_id"]
    is_due = "answer_due_at_ms IS NOT NULL"
    _create_partial_index("ix_receptions_fetching", "receptions", oldest, "state = 'fetching'")
    _create_partial_index("ix_receptions_consumed", "receptions", oldest, "state = 'consumed' AND answer IS NULL")
    _create_partial_index("ix_receptions_staged", "receptions", ["staged"], "staged IS NOT NULL")
    _create_partial_index("ix_receptions_answers", "receptions", due, is_due)
    _create_partial_index("ix_receptions_answers_to", "receptions", [*origin, *due], is_due)


def _create_payloads() -> None:
    op.create_table(
        "small_payloads",
        *_names("name"),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_small_payloads"),
    )
    op.create_table(
        "discarded_payloads",
        *_names("name"),
        _number("discarded_at_ms"),
        sa.PrimaryKeyConstraint("name", name="pk_discarded_payloads"),
    )
    op.create_index("ix_discarded_payloads_age", "discarded_payloads", ["discarded_at_ms"])
    op.create_table(
        "uploads",
        *_names("org", "type", "id", "staged"),
        _number("total_bytes"),
        _number("chunk_bytes"),
        sa.Column("coverage", sa.Text(), nullable=False, comment=_RANGES),
        _number("updated_at_ms"),
        sa.PrimaryKeyConstraint("org", "type", "id", name="pk_uploads"),
    )
    op.create_index("ix_uploads_staged", "uploads", ["staged"])


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        *_names("app_key", "role", "org"),
        _text("identity"),
        _text("secret_hash"),
        _number("created_at_ms"),
        sa.PrimaryKeyConstraint("app_key", name="pk_accounts"),
    )
    op.create_table("counters", *_names("name"), _number("value"), sa.PrimaryKeyConstraint("name", name="pk_counters"))


def _create_what_replicas_need() -> None:
    op.execute("CREATE SEQUENCE instance_numbers INCREMENT BY 4096")
    op.create_table(
        "payloads",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), comment="bytes; null while staged"),
        sa.Column("modified_at", sa.Double(), nullable=False, comment="seconds since the epoch"),
        sa.PrimaryKeyConstraint("name", name="pk_payloads"),
    )
    op.create_table(
        "payload_chunks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", "number", name="pk_payload_chunks"),
    )
    op.execute("ALTER TABLE payload_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL")


def _names(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _NAME, nullable=False) for name in names]


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _position() -> sa.Column[Any]:
    return sa.Column("position", _ROW_NUMBER, nullable=False)


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
