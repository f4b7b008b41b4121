"""Where an ESS keeps things: one SQLite file and one directory of payloads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from common.domain.errors import Unavailable
from common.domain.publishing import LocalNode
from common.runtime.clock import SystemClock
from common.runtime.settings import StartError
from common.store.migrate import MigrationFailed, upgrade
from common.store.payload_files import FilePayloadStore
from common.store.sqlite import open_sqlite
from common.store.state_lock import StateLocked
from common.sync.payloads import PayloadStore
from common.sync.ports import Clock, Database
from ess.config import EssConfig


@dataclass(frozen=True)
class OpenStorage:
    database: Database
    payloads: PayloadStore


@contextmanager
def open_storage(config: EssConfig, on_commit: Callable[[Iterable[str]], None], clock: Clock) -> Iterator[OpenStorage]:
    """Migrate and open; close at the end. Raises StartError."""
    node = config.identity.node_key
    path = config.database_path
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        config.storage.data_directory.mkdir(0o700, parents=True, exist_ok=True)
        payloads = FilePayloadStore(config.storage.payload_directory)
        upgrade("ess", path)
        local = LocalNode(node.type, node.id, node.org)
        database = open_sqlite(path, on_commit=on_commit, clock=clock, audience_of=local.audience)
    except StateLocked as error:
        raise StartError(f"{error}.") from error
    except (MigrationFailed, Unavailable) as error:
        reason = (error.__cause__ if isinstance(error, Unavailable) else None) or error
        raise StartError(f"Cannot use the database: {reason}") from error
    except OSError as error:
        raise StartError(f"Cannot use the directory {config.storage.root}: {error}.") from error
    try:
        yield OpenStorage(database, payloads)
    finally:
        database.close()


@contextmanager
def open_database(config: EssConfig) -> Iterator[Database]:
    """The database alone, for commands that change accounts. Raises StartError, also when a running service owns it."""
    with open_storage(config, lambda topics: None, SystemClock()) as storage:
        yield storage.database
