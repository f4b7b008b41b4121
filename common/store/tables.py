"""The tables of both services.

Text is compared byte by byte on both engines, so that pages, locks and key orders agree everywhere. Metadata is kept
whole, as the JSON it travels in; what a query asks for has a column of its own beside it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)
from sqlalchemy.sql.expression import ColumnElement

#: Names of constraints are known, so that a migration can alter them on either engine.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

#: Text in byte order; SQLite has no other.
Name = Text().with_variant(Text(collation="C"), "postgresql")

#: The order in which rows came to be: on SQLite it is the row's own number, and so costs nothing.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")


def _key(name: str) -> Column[str]:
    return Column(name, Name, primary_key=True)


def _name(name: str) -> Column[str]:
    return Column(name, Name, nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _position() -> Column[int]:
    return Column("position", RowNumber, primary_key=True)


def _partial(name: str, *columns: str, where: str) -> Index:
    """An index of the rows that match; the others cost it nothing."""
    condition: ColumnElement[bool] = literal_column(where)
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


objects = Table(
    "objects",
    metadata,
    _key("org"),
    _key("type"),
    _key("id"),
    _number("instance"),
    _name("status"),
    _flag("is_own"),
    _flag("is_deliverable"),
    Column("audience_kind", Name, comment="null for objects of other nodes"),
    Column("audience_type", Name),
    Column("audience_id", Name),
    Column("payload_name", Name),
    Column("payload_size", BigInteger),
    Column("payload_digest", Text),
    Column("payload_is_small", Boolean),
    _number("remaining_receivers"),
    _number("remaining_consumers"),
    _text("meta"),
    _flag("has_no_data"),
    _flag("is_public"),
    Column("expires_at_ms", BigInteger),
    Column("activates_at_ms", BigInteger, comment="of an inactive object of this node"),
    Column("policy_timestamp", BigInteger, comment="ns since 1970; null without a policy"),
    _flag("is_policy_received"),
    Column("is_placed", Boolean, nullable=False, comment="its destinations were changed by hand"),
    Column("dropped_services", Text, comment="JSON: services a later policy no longer names, yet to confirm"),
    Column("change", BigInteger, comment="orders what applications are shown; null for objects of this node"),
    # Led by the status, so that no look-up by key can take it for the primary key: see `deliveries`.
    Index("ix_objects_status", "status", "org", "type", "id"),
    _partial(
        "ix_objects_audience", "org", "audience_kind", "audience_type", "audience_id", where="audience_kind IS NOT NULL"
    ),
    _partial("ix_objects_payload", "payload_name", where="payload_name IS NOT NULL"),
    _partial("ix_objects_expiry", "expires_at_ms", "org", "type", "id", where="expires_at_ms IS NOT NULL"),
    _partial("ix_objects_activation", "activates_at_ms", "org", "type", "id", where="activates_at_ms IS NOT NULL"),
)

#: The nodes an explicit list names. A row whose instance is not its object's is out of date and means nothing.
object_targets = Table(
    "object_targets",
    metadata,
    _key("org"),
    _key("type"),
    _key("id"),
    _key("node_type"),
    _key("node_id"),
    _number("instance"),
    Index("ix_object_targets_node", "org", "node_type", "node_id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    _position(),
    _name("org"),
    _name("type"),
    _name("id"),
    _name("node_type"),
    _name("node_id"),
    _number("instance"),
    _name("state"),
    Column("due_at_ms", BigInteger),
    Column("attempts", Integer, nullable=False),
    _text("message"),
    _flag("was_sent"),
    # PostgreSQL plans a statement while a table is small, when one index is as good as another, and keeps the plan when it
    # no longer is. So each kind of look-up fits exactly one index: this one is not led by what a node's outbox asks for.
    UniqueConstraint("id", "type", "org", "node_type", "node_id", name="uq_deliveries_key"),
    # The outbox of a node, oldest due first; what is not due for anything lies apart from it, at one end. No name is empty:
    # the condition only keeps the index from look-ups by key, which do not state it.
    _partial("ix_deliveries_node", "org", "node_type", "node_id", "due_at_ms", "position", where="node_id <> ''"),
)

#: What statements about a node's deliveries say, to be served by their index.
NAMES_A_NODE = deliveries.c.node_id != literal_column("''", Text)

fan_outs = Table(
    "fan_outs",
    metadata,
    _position(),
    _name("org"),
    _name("type"),
    _name("id"),
    _number("instance"),
    _name("audience_kind"),
    _name("audience_type"),
    _name("audience_id"),
    Column("audience_nodes", Text, nullable=False, comment="JSON: [[type, id], …]"),
    _flag("is_deliverable"),
    Column("after_type", Name),
    Column("after_id", Name),
    UniqueConstraint("org", "type", "id", name="uq_fan_outs_key"),
)

nodes = Table(
    "nodes",
    metadata,
    _key("org"),
    _key("type"),
    _key("id"),
    _text("communication"),
    _text("code_version"),
    _flag("is_persistent"),
    Column("capabilities", Text, nullable=False, comment="separated by spaces"),
    _number("registered_at_ms"),
    _number("last_seen_at_ms"),
)

receptions = Table(
    "receptions",
    metadata,
    _position(),
    _name("org"),
    _name("type"),
    _name("id"),
    _name("origin_org"),
    _name("origin_type"),
    _name("origin_id"),
    _number("instance"),
    _name("state"),
    Column("answer", Text),
    Column("answer_due_at_ms", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("staged", Name),
    Column("coverage", Text, nullable=False, comment="JSON: [[start, end], …] in bytes"),
    _text("message"),
    _text("meta"),
    UniqueConstraint("org", "type", "id", name="uq_receptions_key"),
    _partial("ix_receptions_fetching", "instance", "position", where="state = 'fetching'"),
    _partial("ix_receptions_consumed", "instance", "position", where="state = 'consumed' AND answer IS NULL"),
    _partial("ix_receptions_staged", "staged", where="staged IS NOT NULL"),
    _partial("ix_receptions_answers", "answer_due_at_ms", "position", where="answer_due_at_ms IS NOT NULL"),
    _partial(
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
    _key("name"),
    Column("bytes", LargeBinary, nullable=False),
)

discarded_payloads = Table(
    "discarded_payloads",
    metadata,
    _key("name"),
    _number("discarded_at_ms"),
    Index("ix_discarded_payloads_age", "discarded_at_ms"),
)

uploads = Table(
    "uploads",
    metadata,
    _key("org"),
    _key("type"),
    _key("id"),
    _name("staged"),
    _number("total_bytes"),
    _number("chunk_bytes"),
    Column("coverage", Text, nullable=False, comment="JSON: [[start, end], …] in bytes"),
    _number("updated_at_ms"),
    Index("ix_uploads_staged", "staged"),
)

accounts = Table(
    "accounts",
    metadata,
    _key("app_key"),
    _name("role"),
    _name("org"),
    _text("identity"),
    _text("secret_hash"),
    _number("created_at_ms"),
)

counters = Table(
    "counters",
    metadata,
    _key("name"),
    _number("value"),
)
