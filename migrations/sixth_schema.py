"""The sixth revision: terms of accounts, and the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("accounts", sa.Column("expires_at_ms", sa.BigInteger()))
    op.add_column("accounts", sa.Column("revoked_at_ms", sa.BigInteger()))
    op.add_column("accounts", sa.Column("rotated_at_ms", sa.BigInteger()))
    op.add_column(
        "accounts", sa.Column("previous_secret_hash", sa.Text(), comment="of the secret before the present one")
    )
    op.add_column("accounts", sa.Column("previous_until_ms", sa.BigInteger(), comment="how long that one still counts"))
    _create_partial_index("ix_accounts_org", "accounts", ["org", "role", "app_key"], "role <> ''")
    op.create_table(
        "audit",
        sa.Column("position", _ROW_NUMBER, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("org", _NAME, nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_audit"),
    )
    op.create_index("ix_audit_org", "audit", ["org", "at_ms", "position"])
    _create_partial_index("ix_audit_age", "audit", ["at_ms", "position"], "outcome <> ''")


def downgrade() -> None:
    op.drop_table("audit")
    op.drop_index("ix_accounts_org", "accounts")
    with op.batch_alter_table("accounts") as table:
        for name in ("previous_until_ms", "previous_secret_hash", "rotated_at_ms", "revoked_at_ms", "expires_at_ms"):
            table.drop_column(name)


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, postgresql_where=condition, sqlite_where=condition)
