"""The whole schema of an engine."""

from __future__ import annotations

import sqlalchemy as sa

from common.store.payload_tables import STORE_CHUNKS_EXTERNALLY, add_payload_tables
from common.store.tables import metadata

#: The sequence that PostgreSQL draws instance numbers from, and how many consecutive ones a single draw reserves.
INSTANCE_SEQUENCE = "instance_numbers"
INSTANCES_PER_DRAW = 4096


def metadata_of(engine: str) -> sa.MetaData:
    """All tables on `engine`, "sqlite" or "postgresql". The payloads of a box are files, those of replicas are rows."""
    schema = sa.MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        table.to_metadata(schema)
    if engine == "postgresql":
        sa.Sequence(INSTANCE_SEQUENCE, increment=INSTANCES_PER_DRAW, metadata=schema)
        add_payload_tables(schema)
        sa.event.listen(schema.tables["payload_chunks"], "after_create", sa.DDL(STORE_CHUNKS_EXTERNALLY))  # type: ignore[no-untyped-call]
    return schema
