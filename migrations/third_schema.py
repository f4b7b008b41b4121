"""The third revision: access lists and organizations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    key = ("key", "kind", "org", "user_type", "username")
    op.create_table(
        "access_entries",
        _name("org"),
        _name("kind"),
        _name("key"),
        _name("user_type"),
        _name("username"),
        _name("role"),
        sa.PrimaryKeyConstraint(*key, name="pk_access_entries"),
    )
    names_a_user = sa.text("username <> ''")
    op.create_index(
        "ix_access_entries_org",
        "access_entries",
        ["org", "kind", "user_type", "username", "key"],
        sqlite_where=names_a_user,
        postgresql_where=names_a_user,
    )
    op.create_table(
        "organizations",
        _name("org"),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org", name="pk_organizations"),
    )


def downgrade() -> None:
    op.drop_table("organizations")
    op.drop_table("access_entries")


def _name(name: str) -> sa.Column[str]:
    return sa.Column(name, _NAME, nullable=False)
