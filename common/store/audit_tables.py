"""The table of the audit log."""

from __future__ import annotations

from sqlalchemy import Index, Table, Text, literal_column

from common.store.columns import metadata, name, number, partial_index, position, text

audit = Table(
    "audit",
    metadata,
    position(),
    number("at_ms"),
    name("org"),
    text("principal"),
    text("address"),
    text("action"),
    text("target"),
    text("outcome"),
    Index("ix_audit_org", "org", "at_ms", "position"),
    # The condition only keeps the index from the pages of an organization, which do not state it.
    partial_index("ix_audit_age", "at_ms", "position", where="outcome <> ''"),
)

#: What statements about the age of entries say, to be served by their index. No outcome is empty.
HAS_OUTCOME = audit.c.outcome != literal_column("''", Text)
