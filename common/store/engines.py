"""SQLAlchemy engines, for work on the schema. A serving process talks to its drivers directly."""

from __future__ import annotations

import os
from pathlib import Path

import sqlalchemy as sa

from common.store.migrate import is_url


def engine_of(target: Path | str) -> sa.Engine:
    """An engine for a PostgreSQL URL or a SQLite path; a missing file is created, for its owner only."""
    if is_url(target):
        url = sa.make_url(str(target)).set(drivername="postgresql+psycopg")
        return sa.create_engine(url, poolclass=sa.NullPool)
    path = Path(target)
    _create_file(path)
    return sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=sa.NullPool)


def _create_file(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
