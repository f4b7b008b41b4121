"""Tables of the payload store that lives in Postgres (`common.store.payload_postgres`)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, LargeBinary, MetaData, Table, Text

#: How many bytes of a payload one row holds. What is stored depends on it: it never changes.
CHUNK_BYTES = 1 << 20

#: To be run once after `payload_chunks` is created: no attempt to compress, and part of a row can be read by itself.
STORE_CHUNKS_EXTERNALLY = "ALTER TABLE payload_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL"


def add_payload_tables(metadata: MetaData) -> None:
    """Declare `payloads` and `payload_chunks` in `metadata`."""
    Table(
        "payloads",
        metadata,
        Column("name", Text, primary_key=True),
        Column("size", BigInteger, comment="bytes; null while staged"),
        Column("modified_at", Double, nullable=False, comment="seconds since the epoch"),
    )
    Table(
        "payload_chunks",
        metadata,
        Column("name", Text, primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("bytes", LargeBinary, nullable=False),
    )
