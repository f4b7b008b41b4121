"""Where a CSS keeps things: one SQLite file when one box is enough, PostgreSQL for any number of replicas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from common.domain.errors import Unavailable
from common.runtime.clock import SystemClock
from common.runtime.config.storage import PayloadStoreChoice, StorageProvider
from common.runtime.settings import StartError
from common.store.migrate import MigrationFailed, upgrade
from common.store.payload_files import FilePayloadStore
from common.store.state_lock import StateLocked
from common.sync.payloads import PayloadStore
from common.sync.ports import Clock, Database
from css.config import CssConfig


@dataclass(frozen=True)
class OpenStorage:
    database: Database
    payloads: PayloadStore


@contextmanager
def open_storage(config: CssConfig, on_commit: Callable[[Iterable[str]], None], clock: Clock) -> Iterator[OpenStorage]:
    """Migrate and open; close at the end. Raises StartError."""
    with ExitStack() as resources:
        try:
            database = _open_database(config, on_commit, clock)
            resources.callback(database.close)
            payloads = _open_payloads(config, resources)
        except StateLocked as error:
            raise StartError(f"{error}.") from error
        except (MigrationFailed, Unavailable) as error:
            reason = (error.__cause__ if isinstance(error, Unavailable) else None) or error
            raise StartError(f"Cannot use the database: {reason}") from error
        except OSError as error:
            raise StartError(f"Cannot use the directory {config.storage.root}: {error}.") from error
        yield OpenStorage(database, payloads)


def _open_database(config: CssConfig, on_commit: Callable[[Iterable[str]], None], clock: Clock) -> Database:
    if config.storage.provider is StorageProvider.POSTGRES:
        from common.store.postgres import open_postgres

        url = config.storage.database_url.reveal()
        upgrade("css", url)
        return open_postgres(url, on_commit=on_commit, clock=clock)
    from common.store.sqlite import open_sqlite

    path = config.database_path
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    upgrade("css", path)
    return open_sqlite(path, on_commit=on_commit, clock=clock)


def _open_payloads(config: CssConfig, resources: ExitStack) -> PayloadStore:
    if config.storage.payload_store is PayloadStoreChoice.FILES:
        return FilePayloadStore(config.storage.payload_directory)
    import psycopg

    from common.store.payload_postgres import PostgresPayloadStore
    from common.store.postgres_connections import PostgresConnections

    url = config.storage.database_url.reveal()
    connections = PostgresConnections(lambda: psycopg.connect(url))
    resources.callback(connections.close)
    return PostgresPayloadStore(connections)


@contextmanager
def open_database(config: CssConfig) -> Iterator[Database]:
    """The database alone, for commands that change accounts. Raises StartError, also when a running service owns it."""
    with open_storage(config, lambda topics: None, SystemClock()) as storage:
        yield storage.database
