"""The second revision: what objects need for expiration, activation, policies and the feed of changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

_KEY = ("org", "type", "id")

#: Columns and condition by name.
_INDEXES: dict[str, tuple[tuple[str, ...], str]] = {
    "ix_objects_expiry": (("expires_at_ms", *_KEY), "expires_at_ms IS NOT NULL"),
    "ix_objects_activation": (("activates_at_ms", *_KEY), "activates_at_ms IS NOT NULL"),
    "ix_objects_change": (("org", "type", "change"), "change IS NOT NULL"),
    "ix_objects_public": (_KEY, "is_public"),
    "ix_objects_policy": (_KEY, "policy_timestamp IS NOT NULL"),
    "ix_objects_policy_news": (("org", "is_policy_received", "type", "id"), "policy_timestamp IS NOT NULL"),
    "ix_objects_policy_time": (("org", "policy_timestamp", "type", "id"), "policy_timestamp IS NOT NULL"),
    "ix_objects_destination": (("org", "audience_type", "audience_id", "type", "id"), "audience_type <> ''"),
}

#: What metadata says, as far as lists can ask for it; for objects of other nodes also where they came from. PostgreSQL
#: refuses to look into JSON that has a NUL in any of its strings, so there it is read as the compact text it is: inside a
#: string every quote is escaped, so that no string can be taken for a member.
_FILL_FLAGS = {
    "postgresql": r"""
        UPDATE objects
        SET has_no_data = strpos(meta, '"noData"\:true') > 0, is_public = strpos(meta, '"public"\:true') > 0
        WHERE strpos(meta, '"noData"\:true') > 0 OR strpos(meta, '"public"\:true') > 0
    """,
    "sqlite": """
        UPDATE objects
        SET has_no_data = coalesce(json_extract(meta, '$.noData'), 0), is_public = coalesce(json_extract(meta, '$.public'), 0)
    """,
}
_FILL_SENDERS = {
    "postgresql": r"""
        UPDATE objects
        SET audience_type = substring(meta FROM '"destinationType"\:"([^"\\]*)"'),
            audience_id = substring(meta FROM '"destinationID"\:"([^"\\]*)"')
        WHERE NOT is_own
    """,
    "sqlite": """
        UPDATE objects
        SET audience_type = json_extract(meta, '$.destinationType'), audience_id = json_extract(meta, '$.destinationID')
        WHERE NOT is_own
    """,
}

#: What applications are shown already came in the order of its instances, and before everything to come.
_NUMBER_SHOWN = """
    UPDATE objects SET change = -numbered.number
    FROM (
        SELECT org, type, id, row_number() OVER (ORDER BY instance DESC, org, type, id) AS number
        FROM objects WHERE status IN ('completelyReceived', 'objreceived', 'objdeleted')
    ) AS numbered
    WHERE objects.org = numbered.org AND objects.type = numbered.type AND objects.id = numbered.id
"""


def upgrade() -> None:
    for column in _columns():
        op.add_column("objects", column)
    # Every other column describes what no object of this node could have before.
    for filling in (_FILL_FLAGS, _FILL_SENDERS):
        op.execute(filling[op.get_context().dialect.name])
    op.execute(_NUMBER_SHOWN)
    # Only what stands in the table needs a value made up for it.
    with op.batch_alter_table("objects") as table:
        for name in ("has_no_data", "is_public", "is_policy_received", "is_placed"):
            table.alter_column(name, server_default=None)
    for name, (columns, where) in _INDEXES.items():
        condition = sa.text(where)
        op.create_index(name, "objects", columns, sqlite_where=condition, postgresql_where=condition)
    op.drop_index("ix_object_targets_node", "object_targets")
    op.create_index("ix_object_targets_node", "object_targets", ["node_id", "node_type", *_KEY])
    _create_policy_terms()


def downgrade() -> None:
    op.drop_table("policy_terms")
    op.drop_index("ix_object_targets_node", "object_targets")
    op.create_index("ix_object_targets_node", "object_targets", ["org", "node_type", "node_id"])
    for name in _INDEXES:
        op.drop_index(name, "objects")
    with op.batch_alter_table("objects") as table:
        for column in reversed(_columns()):
            table.drop_column(column.name)


def _create_policy_terms() -> None:
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "policy_terms",
        *[sa.Column(column, name, nullable=False) for column in _KEY],
        sa.Column("term", name, nullable=False, comment="see policy_terms.py"),
        sa.PrimaryKeyConstraint(*_KEY, "term", name="pk_policy_terms"),
    )
    op.create_index("ix_policy_terms_term", "policy_terms", ["term", *_KEY])


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
        sa.Column("change", sa.BigInteger(), comment="orders what applications are shown; null for everything else"),
    ]


def _flag(name: str, comment: str | None = None) -> sa.Column[object]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false(), comment=comment)
