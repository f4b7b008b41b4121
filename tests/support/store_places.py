"""Where a test's database lives: in memory, in an SQLite file, on PostgreSQL. All open as `ports.Database`."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql

from common.domain.addressing import Audience, audience_of
from common.domain.delivery import Delivery
from common.domain.metadata import Metadata
from common.domain.nodes import Node
from common.domain.objects import SyncObject
from common.domain.reception import Reception
from common.sync.ports import Clock, Database, UnitOfWork
from common.sync.records import Account, FanOut, Upload
from tests.support.memory_store import MemoryDatabase

WAIT_SECONDS = 10.0

Record = SyncObject | Node | Delivery | FanOut | Reception | Upload | Account
OnCommit = Callable[[frozenset[str]], None]
AudienceOf = Callable[[Metadata], Audience]


class Place(Protocol):
    """A database that may be opened again after it was closed, unless it is in memory."""

    #: Do transactions run beside each other?
    is_parallel: bool

    def open(self, *, on_commit: OnCommit, clock: Clock, audience_of: AudienceOf = audience_of) -> Database: ...


class InMemory:
    is_parallel = False

    def open(self, *, on_commit: OnCommit, clock: Clock, audience_of: AudienceOf = audience_of) -> Database:
        return MemoryDatabase(on_commit=on_commit, clock=clock, audience_of=audience_of)


class OnSqlite:
    """A copy of `template`, an empty database with the schema in place."""

    is_parallel = False

    def __init__(self, template: Path, path: Path) -> None:
        shutil.copyfile(template, path)
        self._path = path

    def open(self, *, on_commit: OnCommit, clock: Clock, audience_of: AudienceOf = audience_of) -> Database:
        from common.store.sqlite import open_sqlite

        return open_sqlite(self._path, on_commit=on_commit, clock=clock, audience_of=audience_of)


class OnPostgres:
    """A database with the schema in place, emptied for this test."""

    is_parallel = True

    def __init__(self, url: str) -> None:
        empty_postgres(url)
        self._url = url

    def open(self, *, on_commit: OnCommit, clock: Clock, audience_of: AudienceOf = audience_of) -> Database:
        from common.store.postgres import open_postgres

        return open_postgres(self._url, on_commit=on_commit, clock=clock, audience_of=audience_of)


def sqlite_template(path: Path) -> Path:
    """Create an empty database with the schema in place, to be copied."""
    from common.store.migrate import create_all

    create_all(path)
    return path


def create_postgres_schema(url: str) -> None:
    from common.store.migrate import create_all

    create_all(url)


def empty_postgres(url: str) -> None:
    """Forget all rows. Deleting beats TRUNCATE when there are few."""
    with psycopg.connect(url) as connection:
        connection.execute("SET synchronous_commit = off")
        for (table,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


class Wakeups:
    """Topics that commits have woken so far."""

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self._changed = threading.Condition()

    def __call__(self, topics: frozenset[str]) -> None:
        with self._changed:
            self._topics |= topics
            self._changed.notify_all()

    def wait_for(self, topic: str) -> set[str]:
        """Everything woken by the time `topic` was; fails when that takes too long."""
        with self._changed:
            assert self._changed.wait_for(lambda: topic in self._topics, WAIT_SECONDS), f"{topic} was not woken"
            return set(self._topics)


def given(database: Database, *records: Record) -> None:
    """Save each record into the store for its type, in this order and in one transaction."""

    def save(uow: UnitOfWork) -> None:
        for record in records:
            save_record(uow, record)

    database.write(save)


def save_record(uow: UnitOfWork, record: Record) -> None:
    """Into the store for its type."""
    match record:
        case SyncObject():
            uow.objects.save_many([record])
        case Node():
            uow.nodes.save(record)
        case Delivery():
            uow.deliveries.save_many([record])
        case FanOut():
            uow.fan_outs.add(record)
        case Reception():
            uow.receptions.save(record)
        case Upload():
            uow.uploads.save(record)
        case Account():
            uow.accounts.save(record)
