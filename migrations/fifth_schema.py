"""The fifth revision: groups, labels and placement."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    label = ("org", "node_type", "node_id", "source", "name")
    op.create_table(
        "node_labels",
        *map(_name, label),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(*label, name="pk_node_labels"),
    )
    op.create_table(
        "node_groups",
        _name("org"),
        _name("name"),
        sa.Column("expression", sa.Text(), comment="null for a group by list"),
        sa.PrimaryKeyConstraint("org", "name", name="pk_node_groups"),
    )
    _create_nodes_of_groups("group_lists")
    _create_nodes_of_groups("group_members")
    op.create_table(
        "reviews",
        sa.Column("position", _ROW_NUMBER, nullable=False),
        *map(_name, ("kind", "org", "type", "id", "after_type", "after_id")),
        sa.PrimaryKeyConstraint("position", name="pk_reviews"),
        sa.UniqueConstraint("kind", "org", "type", "id", name="uq_reviews_subject"),
    )
    op.create_table(
        "placements",
        _name("org"),
        sa.Column("engine", _NAME, nullable=False, comment="who places the policy objects of the organization"),
        sa.PrimaryKeyConstraint("org", name="pk_placements"),
    )


def downgrade() -> None:
    for table in ("placements", "reviews", "group_members", "group_lists", "node_groups", "node_labels"):
        op.drop_table(table)


def _create_nodes_of_groups(table: str) -> None:
    op.create_table(
        table,
        *map(_name, ("org", "name", "node_type", "node_id")),
        sa.PrimaryKeyConstraint("name", "org", "node_type", "node_id", name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_node", table, ["node_id", "node_type", "org"])


def _name(name: str) -> sa.Column[str]:
    return sa.Column(name, _NAME, nullable=False)
