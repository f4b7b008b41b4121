"""The eighth revision: quotas, and what organizations keep."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "quotas",
        sa.Column("org", _NAME, nullable=False),
        sa.Column("objects", sa.BigInteger(), comment="null: the default"),
        sa.Column("payload_bytes", sa.BigInteger(), comment="null: the default"),
        sa.PrimaryKeyConstraint("org", name="pk_quotas"),
    )
    op.create_table(
        "org_usage",
        sa.Column("org", _NAME, nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("objects", sa.BigInteger(), nullable=False),
        sa.Column("payload_bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "corrections", sa.BigInteger(), nullable=False, comment="how often shard 0 was corrected by counting"
        ),
        sa.PrimaryKeyConstraint("org", "shard", name="pk_org_usage"),
    )
    # What the version before goes on adding while this runs is found by the first count.
    op.execute(
        "INSERT INTO org_usage (org, shard, objects, payload_bytes, corrections)"
        " SELECT org, 0, count(*), coalesce(sum(payload_size), 0), 0 FROM objects GROUP BY org"
    )


def downgrade() -> None:
    for table in ("org_usage", "quotas"):
        op.drop_table(table)
