"""The tables of tenants: access lists and organizations."""

from __future__ import annotations

from sqlalchemy import PrimaryKeyConstraint, Table, Text, literal_column

from common.store.columns import key, metadata, name, partial_index, text

access_entries = Table(
    "access_entries",
    metadata,
    name("org"),
    name("kind"),
    name("key"),
    name("user_type"),
    name("username"),
    name("role"),
    # Look-ups by key fit this index only, those by organization only the other one: see `deliveries`.
    PrimaryKeyConstraint("key", "kind", "org", "user_type", "username"),
    partial_index("ix_access_entries_org", "org", "kind", "user_type", "username", "key", where="username <> ''"),
)

#: What statements about the lists of an organization say, to be served by their index. No name is empty.
NAMES_A_USER = access_entries.c.username != literal_column("''", Text)

organizations = Table(
    "organizations",
    metadata,
    key("org"),
    text("user"),
    text("password"),
    text("address"),
)
