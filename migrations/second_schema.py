"""The second revision: what objects need for expiration, activation, policies and the feed of changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_INDEXES = {"ix_objects_expiry": "expires_at_ms", "ix_objects_activation": "activates_at_ms"}


def upgrade() -> None:
    for column in _columns():
        op.add_column("objects", column)
    # Every other column describes what no object could have before.
    no_data = {
        "postgresql": "UPDATE objects SET has_no_data = true WHERE meta::json ->> 'noData' = 'true'",
        "sqlite": "UPDATE objects SET has_no_data = true WHERE json_extract(meta, '$.noData')",
    }
    op.execute(no_data[op.get_context().dialect.name])
    # Only what stands in the table needs a value made up for it.
    with op.batch_alter_table("objects") as table:
        for name in ("has_no_data", "is_public", "is_policy_received", "is_placed"):
            table.alter_column(name, server_default=None)
    for name, column in _INDEXES.items():
        condition = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            name, "objects", [column, "org", "type", "id"], sqlite_where=condition, postgresql_where=condition
        )


def downgrade() -> None:
    for name in _INDEXES:
        op.drop_index(name, "objects")
    with op.batch_alter_table("objects") as table:
        for column in reversed(_columns()):
            table.drop_column(column.name)


def _columns() -> list[sa.Column[object]]:
    return [
        _flag("has_no_data"),
        _flag("is_public"),
        sa.Column("expires_at_ms", sa.BigInteger()),
        sa.Column("activates_at_ms", sa.BigInteger(), comment="of an inactive object of this node"),
        sa.Column("policy_timestamp", sa.BigInteger(), comment="ns since 1970; null without a policy"),
        _flag("is_policy_received"),
        _flag("is_placed", "its destinations were changed by hand"),
        sa.Column(
            "dropped_services", sa.Text(), comment="JSON: services a later policy no longer names, yet to confirm"
        ),
        sa.Column(
            "change", sa.BigInteger(), comment="orders what applications are shown; null for objects of this node"
        ),
    ]


def _flag(name: str, comment: str | None = None) -> sa.Column[object]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false(), comment=comment)
