"""The tables of enrolment. Lists and look-ups by node share one index, those by name the primary key."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table

from common.store.columns import Name, key, metadata, name, number, text

#: One row: the authority is the same for all replicas.
node_authority = Table("node_authority", metadata, key("name"), text("certificate"), text("private_key"))

enrolment_tokens = Table(
    "enrolment_tokens",
    metadata,
    key("token_id"),
    name("org"),
    name("node_type"),
    name("node_id"),
    text("secret_hash"),
    text("created_by"),
    number("created_at_ms"),
    number("expires_at_ms"),
    Column("spent_for", Name, comment="digest of the public key it was spent for"),
    Index("ix_enrolment_tokens_node", "org", "node_type", "node_id", "token_id"),
    Index("ix_enrolment_tokens_expiry", "expires_at_ms", "token_id"),
)

node_certificates = Table(
    "node_certificates",
    metadata,
    key("fingerprint"),
    name("org"),
    name("node_type"),
    name("node_id"),
    text("key_digest"),
    text("pem"),
    number("issued_at_ms"),
    number("expires_at_ms"),
    Column("revoked_at_ms", BigInteger),
    Index("ix_node_certificates_node", "org", "node_type", "node_id", "fingerprint"),
    Index("ix_node_certificates_expiry", "expires_at_ms", "fingerprint"),
)
