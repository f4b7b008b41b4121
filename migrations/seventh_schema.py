"""The seventh revision: tokens and certificates of nodes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "node_authority",
        _name("name"),
        _text("certificate"),
        _text("private_key"),
        sa.PrimaryKeyConstraint("name", name="pk_node_authority"),
    )
    op.create_table(
        "enrolment_tokens",
        *map(_name, ("token_id", "org", "node_type", "node_id")),
        *map(_text, ("secret_hash", "created_by")),
        *map(_number, ("created_at_ms", "expires_at_ms")),
        sa.Column("spent_for", _NAME, comment="digest of the public key it was spent for"),
        sa.PrimaryKeyConstraint("token_id", name="pk_enrolment_tokens"),
    )
    op.create_table(
        "node_certificates",
        *map(_name, ("fingerprint", "org", "node_type", "node_id")),
        *map(_text, ("key_digest", "pem")),
        *map(_number, ("issued_at_ms", "expires_at_ms")),
        sa.Column("revoked_at_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_node_certificates"),
    )
    for table, own in (("enrolment_tokens", "token_id"), ("node_certificates", "fingerprint")):
        op.create_index(f"ix_{table}_node", table, ["org", "node_type", "node_id", own])
        op.create_index(f"ix_{table}_expiry", table, ["expires_at_ms", own])


def downgrade() -> None:
    for table in ("node_certificates", "enrolment_tokens", "node_authority"):
        op.drop_table(table)


def _name(name: str) -> sa.Column[str]:
    return sa.Column(name, _NAME, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)
