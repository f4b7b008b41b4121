"""The tables of quotas and of what organizations keep."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table

from common.store.columns import key, metadata, number

quotas = Table(
    "quotas",
    metadata,
    key("org"),
    Column("objects", BigInteger, comment="null: the default"),
    Column("payload_bytes", BigInteger, comment="null: the default"),
)

#: The usage of an organization is the sum of its shards: transactions that commit side by side add to different ones.
usage = Table(
    "org_usage",
    metadata,
    key("org"),
    Column("shard", Integer, primary_key=True, autoincrement=False),
    number("objects"),
    number("payload_bytes"),
    Column("corrections", BigInteger, nullable=False, comment="how often shard 0 was corrected by counting"),
)
