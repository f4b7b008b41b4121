"""The tables of tenants: access lists and organizations."""

from __future__ import annotations

from sqlalchemy import Column, PrimaryKeyConstraint, Table, Text, literal_column

from common.store.columns import Name, metadata, partial_index

access_entries = Table(
    "access_entries",
    metadata,
    Column("org", Name, nullable=False),
    Column("kind", Name, nullable=False),
    Column("key", Name, nullable=False),
    Column("user_type", Name, nullable=False),
    Column("username", Name, nullable=False),
    Column("role", Name, nullable=False),
    # Look-ups by key fit this index only, those by organization only the other one: see `deliveries`.
    PrimaryKeyConstraint("key", "kind", "org", "user_type", "username"),
    partial_index("ix_access_entries_org", "org", "kind", "user_type", "username", "key", where="username <> ''"),
)

#: What statements about the lists of an organization say, to be served by their index. No name is empty.
NAMES_A_USER = access_entries.c.username != literal_column("''", Text)

organizations = Table(
    "organizations",
    metadata,
    Column("org", Name, primary_key=True),
    Column("user", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("address", Text, nullable=False),
)
