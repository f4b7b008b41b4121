"""The whole schema of an engine."""

from __future__ import annotations

import sqlalchemy as sa

from common.store import (  # noqa: F401 - declare their tables
    access_tables,
    audit_tables,
    enrolment_tables,
    group_tables,
    policy_tables,
    quota_tables,
    tables,
    webhook_tables,
)
from common.store.columns import CONDITION, metadata
from common.store.payload_tables import STORE_CHUNKS_EXTERNALLY, add_payload_tables

#: The sequence that PostgreSQL draws instance numbers from, and how many consecutive ones a single draw reserves.
INSTANCE_SEQUENCE = "instance_numbers"
INSTANCES_PER_DRAW = 4096


def metadata_of(engine: str) -> sa.MetaData:
    """All tables on `engine`, "sqlite" or "postgresql". The payloads of a box are files, those of replicas are rows."""
    schema = sa.MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        table.to_metadata(schema)
        _set_conditions(table, schema.tables[table.name], engine)
    if engine == "postgresql":
        sa.Sequence(INSTANCE_SEQUENCE, increment=INSTANCES_PER_DRAW, metadata=schema)
        add_payload_tables(schema)
        sa.event.listen(schema.tables["payload_chunks"], "after_create", sa.DDL(STORE_CHUNKS_EXTERNALLY))  # type: ignore[no-untyped-call]
    return schema


def _set_conditions(table: sa.Table, copied: sa.Table, engine: str) -> None:
    """Partial indexes, in the words of the engine."""
    conditions = {index.name: index.info[CONDITION] for index in table.indexes if CONDITION in index.info}
    for index in copied.indexes:
        if index.name in conditions:
            index.dialect_options[engine]["where"] = sa.literal_column(conditions[index.name])
