"""SQLAlchemy engines, for work on the schema. A serving process talks to its drivers directly."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from common.store.migrate import is_url


def engine_of(target: Path | str) -> sa.Engine:
    """An engine for a PostgreSQL URL or a SQLite path; a missing file is created, for its owner only."""
    if is_url(target):
        return engine_of_url(sa.make_url(str(target)).set(drivername="postgresql+psycopg"))
    path = Path(target)
    _create_file(path)
    return engine_of_url(sa.URL.create("sqlite", database=str(path)))


def engine_of_url(url: sa.URL | str) -> sa.Engine:
    """An engine on which changes of the schema are undone with their transaction."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    if engine.dialect.name == "sqlite":
        # By itself the driver commits before each change of the schema.
        sa.event.listen(engine, "connect", _begin_nothing)
        sa.event.listen(engine, "begin", _begin)
    return engine


def _begin_nothing(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _create_file(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
