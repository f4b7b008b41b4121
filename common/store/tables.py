"""The tables of both services.

Metadata is kept whole, as the JSON it travels in; what a query asks for has a column of its own beside it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)

from common.store.columns import Name, flag, key, metadata, name, number, partial_index, position, text

objects = Table(
    "objects",
    metadata,
    key("org"),
    key("type"),
    key("id"),
    number("instance"),
    name("status"),
    flag("is_own"),
    flag("is_deliverable"),
    Column("audience_kind", Name, comment="null for objects of other nodes"),
    # Of another node's object these two are what its metadata says.
    Column("audience_type", Name),
    Column("audience_id", Name),
    Column("payload_name", Name),
    Column("payload_size", BigInteger),
    Column("payload_digest", Text),
    Column("payload_is_small", Boolean),
    number("remaining_receivers"),
    number("remaining_consumers"),
    text("meta"),
    flag("has_no_data"),
    flag("is_public"),
    Column("expires_at_ms", BigInteger),
    Column("activates_at_ms", BigInteger, comment="of an inactive object of this node"),
    Column("policy_timestamp", BigInteger, comment="ns since 1970; null without a policy"),
    flag("is_policy_received"),
    Column("is_placed", Boolean, nullable=False, comment="its destinations were changed by hand"),
    Column("dropped_services", Text, comment="JSON: services a later policy no longer names, yet to confirm"),
    Column("change", BigInteger, comment="orders what applications are shown; null for everything else"),
    # Led by the status, so that no look-up by key can take it for the primary key: see `deliveries`.
    Index("ix_objects_status", "status", "org", "type", "id"),
    partial_index(
        "ix_objects_audience", "org", "audience_kind", "audience_type", "audience_id", where="audience_kind IS NOT NULL"
    ),
    partial_index("ix_objects_payload", "payload_name", where="payload_name IS NOT NULL"),
    partial_index("ix_objects_expiry", "expires_at_ms", "org", "type", "id", where="expires_at_ms IS NOT NULL"),
    partial_index("ix_objects_activation", "activates_at_ms", "org", "type", "id", where="activates_at_ms IS NOT NULL"),
    partial_index("ix_objects_change", "org", "type", "change", where="change IS NOT NULL"),
    # Lists run through one organization by type and id; these are for what only some objects have.
    partial_index("ix_objects_public", "org", "type", "id", where="is_public"),
    partial_index("ix_objects_policy", "org", "type", "id", where="policy_timestamp IS NOT NULL"),
    partial_index(
        "ix_objects_policy_news",
        *("org", "is_policy_received", "type", "id"),
        where="policy_timestamp IS NOT NULL",
    ),
    partial_index(
        "ix_objects_policy_time",
        *("org", "policy_timestamp", "type", "id"),
        where="policy_timestamp IS NOT NULL",
    ),
    # Only lists say the condition: look-ups of an audience have their own index.
    partial_index(
        "ix_objects_destination", *("org", "audience_type", "audience_id", "type", "id"), where="audience_type <> ''"
    ),
)

#: The nodes an explicit list names. A row whose instance is not its object's is out of date and means nothing.
object_targets = Table(
    "object_targets",
    metadata,
    key("org"),
    key("type"),
    key("id"),
    key("node_type"),
    key("node_id"),
    number("instance"),
    # Led by the node, so that no look-up by object can take it for the primary key; in the order of lists for each.
    Index("ix_object_targets_node", "node_id", "node_type", "org", "type", "id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    position(),
    name("org"),
    name("type"),
    name("id"),
    name("node_type"),
    name("node_id"),
    number("instance"),
    name("state"),
    Column("due_at_ms", BigInteger),
    Column("attempts", Integer, nullable=False),
    text("message"),
    flag("was_sent"),
    # PostgreSQL plans a statement while a table is small, when one index is as good as another, and keeps the plan when it
    # no longer is. So each kind of look-up fits exactly one index: this one is not led by what a node's outbox asks for.
    UniqueConstraint("id", "type", "org", "node_type", "node_id", name="uq_deliveries_key"),
    # The outbox of a node, oldest due first; what is not due for anything lies apart from it, at one end. No name is empty:
    # the condition only keeps the index from look-ups by key, which do not state it.
    partial_index("ix_deliveries_node", "org", "node_type", "node_id", "due_at_ms", "position", where="node_id <> ''"),
)

#: What statements about a node's deliveries say, to be served by their index.
NAMES_A_NODE = deliveries.c.node_id != literal_column("''", Text)

fan_outs = Table(
    "fan_outs",
    metadata,
    position(),
    name("org"),
    name("type"),
    name("id"),
    number("instance"),
    name("audience_kind"),
    name("audience_type"),
    name("audience_id"),
    Column("audience_nodes", Text, nullable=False, comment="JSON: [[type, id], …]"),
    flag("is_deliverable"),
    Column("after_type", Name),
    Column("after_id", Name),
    UniqueConstraint("org", "type", "id", name="uq_fan_outs_key"),
)

nodes = Table(
    "nodes",
    metadata,
    key("org"),
    key("type"),
    key("id"),
    text("communication"),
    text("code_version"),
    flag("is_persistent"),
    Column("capabilities", Text, nullable=False, comment="separated by spaces"),
    number("registered_at_ms"),
    number("last_seen_at_ms"),
)

receptions = Table(
    "receptions",
    metadata,
    position(),
    name("org"),
    name("type"),
    name("id"),
    name("origin_org"),
    name("origin_type"),
    name("origin_id"),
    number("instance"),
    name("state"),
    Column("answer", Text),
    Column("answer_due_at_ms", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("staged", Name),
    Column("coverage", Text, nullable=False, comment="JSON: [[start, end], …] in bytes"),
    text("message"),
    text("meta"),
    UniqueConstraint("org", "type", "id", name="uq_receptions_key"),
    partial_index("ix_receptions_fetching", "instance", "position", where="state = 'fetching'"),
    partial_index("ix_receptions_consumed", "instance", "position", where="state = 'consumed' AND answer IS NULL"),
    partial_index("ix_receptions_staged", "staged", where="staged IS NOT NULL"),
    partial_index("ix_receptions_answers", "answer_due_at_ms", "position", where="answer_due_at_ms IS NOT NULL"),
    partial_index(
        "ix_receptions_answers_to",
        "origin_org",
        "origin_type",
        "origin_id",
        "answer_due_at_ms",
        "position",
        where="answer_due_at_ms IS NOT NULL",
    ),
)

small_payloads = Table(
    "small_payloads",
    metadata,
    key("name"),
    Column("bytes", LargeBinary, nullable=False),
)

discarded_payloads = Table(
    "discarded_payloads",
    metadata,
    key("name"),
    number("discarded_at_ms"),
    Index("ix_discarded_payloads_age", "discarded_at_ms"),
)

uploads = Table(
    "uploads",
    metadata,
    key("org"),
    key("type"),
    key("id"),
    name("staged"),
    number("total_bytes"),
    number("chunk_bytes"),
    Column("coverage", Text, nullable=False, comment="JSON: [[start, end], …] in bytes"),
    number("updated_at_ms"),
    Index("ix_uploads_staged", "staged"),
)

accounts = Table(
    "accounts",
    metadata,
    key("app_key"),
    name("role"),
    name("org"),
    text("identity"),
    text("secret_hash"),
    number("created_at_ms"),
    Column("expires_at_ms", BigInteger),
    Column("revoked_at_ms", BigInteger),
    Column("rotated_at_ms", BigInteger),
    Column("previous_secret_hash", Text, comment="of the secret before the present one"),
    Column("previous_until_ms", BigInteger, comment="how long that one still counts"),
    # The condition only keeps the index from look-ups by key, which do not state it.
    partial_index("ix_accounts_org", "org", "role", "app_key", where="role <> ''"),
)

#: What statements about the accounts of an organization say, to be served by their index. No role is empty.
HAS_ROLE = accounts.c.role != literal_column("''", Text)

counters = Table(
    "counters",
    metadata,
    key("name"),
    number("value"),
)
