"""A process that stages a payload and can be killed: `python -m tests.support.payload_process files ROOT NAME OFFSET`.

Prints the position after every flush. The content of a payload is derived from its name, so that everybody knows it.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import psycopg

from common.store.payload_files import FilePayloadStore
from common.store.payload_postgres import PostgresPayloadStore
from common.store.postgres_connections import PostgresConnections
from common.sync.payloads import PayloadStore

PIECE_BYTES = 100_000


def content_of(name: str, size_bytes: int) -> bytes:
    return random.Random(name).randbytes(size_bytes)


def open_payload_store(kind: str, place: str) -> PayloadStore:
    if kind == "files":
        return FilePayloadStore(Path(place))
    return PostgresPayloadStore(PostgresConnections(lambda: psycopg.connect(place)))


def main() -> None:
    kind, place, name, offset = sys.argv[1:]
    content = content_of(name, 64 << 20)
    with open_payload_store(kind, place).writer(name) as writer:
        for position in range(int(offset), len(content), PIECE_BYTES):
            piece = content[position : position + PIECE_BYTES]
            writer.write(position, piece)
            writer.flush()
            sys.stdout.write(f"{position + len(piece)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
