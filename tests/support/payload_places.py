"""Where payload stores keep payloads in tests, and short ways to use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from common.store.payload_files import FilePayloadStore
from common.store.payload_postgres import PostgresPayloadStore
from common.store.postgres_connections import PostgresConnections
from common.sync.payloads import PayloadStore, PayloadWriter
from tests.support.payloads import MemoryPayloadStore

NAME = "5e" * 32
OTHER_NAME = "5f" * 32


@dataclass
class Place:
    """Where payloads are kept; every `open` is a new store on the same place, as after a restart."""

    kind: str
    address: str = ""
    memory: MemoryPayloadStore = field(default_factory=MemoryPayloadStore)
    connections: list[PostgresConnections] = field(default_factory=list)

    def open(self) -> PayloadStore:
        match self.kind:
            case "files":
                return FilePayloadStore(Path(self.address))
            case "postgres":
                self.connections.append(PostgresConnections(lambda: psycopg.connect(self.address)))
                return PostgresPayloadStore(self.connections[-1])
            case _:
                return self.memory


def stage(store: PayloadStore, name: str, *pieces: tuple[int, bytes]) -> None:
    with store.writer(name) as writer:
        for offset, piece in pieces:
            writer.write(offset, piece)
        writer.flush()


def write_and_flush(writer: PayloadWriter, piece: bytes) -> None:
    writer.write(0, piece)
    writer.flush()


def stored(store: PayloadStore) -> dict[tuple[str, bool], float]:
    return {(name, sealed): modified_at for name, sealed, modified_at in store.names()}
