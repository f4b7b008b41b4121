"""The tables of groups, labels and placement.

Keys begin with what their look-ups name and others do not, so that each kind of look-up fits one index: see `deliveries`.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from common.store.columns import Name, metadata, name, position, text


def _nodes_of_groups(table: str) -> Table:
    return Table(
        table,
        metadata,
        name("org"),
        name("name"),
        name("node_type"),
        name("node_id"),
        PrimaryKeyConstraint("name", "org", "node_type", "node_id"),
        Index(f"ix_{table}_node", "node_id", "node_type", "org"),
    )


node_labels = Table(
    "node_labels",
    metadata,
    name("org"),
    name("node_type"),
    name("node_id"),
    name("source"),
    name("name"),
    text("value"),
    PrimaryKeyConstraint("org", "node_type", "node_id", "source", "name"),
)

node_groups = Table(
    "node_groups",
    metadata,
    name("org"),
    name("name"),
    Column("expression", Text, comment="null for a group by list"),
    PrimaryKeyConstraint("org", "name"),
)

#: Whom groups by list name, registered or not.
group_lists = _nodes_of_groups("group_lists")

#: The registered nodes that are members now, whichever way the group is defined.
group_members = _nodes_of_groups("group_members")

#: Changes whose consequences are worked out page by page.
reviews = Table(
    "reviews",
    metadata,
    position(),
    name("kind"),
    name("org"),
    name("type"),
    name("id"),
    name("after_type"),
    name("after_id"),
    UniqueConstraint("kind", "org", "type", "id", name="uq_reviews_subject"),
)

placements = Table(
    "placements",
    metadata,
    name("org"),
    Column("engine", Name, nullable=False, comment="who places the policy objects of the organization"),
    PrimaryKeyConstraint("org"),
)
