"""Bringing a database to the schema this version needs, before it is opened.

The migration tool is big and slow to load, so it runs in a child process that ends when it is done. Most starts need no
child at all: comparing one row is enough to see that nothing is to do.

    python -m common.store.migrate css|ess TARGET       TARGET is a path, a URL, or - to read it from standard input
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import quote

Service: TypeAlias = Literal["css", "ess"]

#: The newest revision of each tree of migrations.
HEADS: dict[Service, str] = {"css": "0008", "ess": "0008"}

_CHILD_TIMEOUT_SECONDS = 3600


class MigrationFailed(Exception):
    """The database could not be brought to the schema this version needs."""


def upgrade(service: Service, target: Path | str) -> None:
    """Migrate the SQLite file (a path) or the PostgreSQL database (a URL) to the newest revision of `service`.

    Creates a missing SQLite file. Several processes may do this at the same time: one works, the others wait.
    Raises MigrationFailed.
    """
    if revision_of(target) == HEADS[service]:
        return
    done = subprocess.run(
        [sys.executable, "-m", "common.store.migrate", service, "-"],
        # The URL holds a password, and arguments are visible to everybody on the machine.
        input=str(target),
        capture_output=True,
        text=True,
        check=False,
        timeout=_CHILD_TIMEOUT_SECONDS,
    )
    if done.returncode != 0:
        raise MigrationFailed(done.stderr.strip().rpartition("\n")[2] or f"exit status {done.returncode}")


def revision_of(target: Path | str) -> str | None:
    """The revision a database is at; None when it was never migrated or cannot be asked."""
    return _revision_of_postgres(target) if is_url(target) else _revision_of_sqlite(Path(target))


def is_url(target: Path | str) -> bool:
    return isinstance(target, str) and target.startswith(("postgresql:", "postgres:"))


def create_all(target: Path | str) -> None:
    """Create all tables of an empty database without migrations, for tests. Creates a missing SQLite file."""
    import sqlalchemy as sa

    from common.store.engines import engine_of
    from common.store.schema import metadata_of

    engine: sa.Engine = engine_of(target)
    metadata_of(engine.dialect.name).create_all(engine)
    engine.dispose()


def _revision_of_sqlite(path: Path) -> str | None:
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    return str(row[0]) if row else None


def _revision_of_postgres(url: str | Path) -> str | None:
    import psycopg

    try:
        with psycopg.connect(str(url), connect_timeout=10) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
        return None
    return str(row[0]) if row else None


def main(arguments: list[str]) -> int:
    """Exit status 0 when the database is at the newest revision; otherwise the last line on standard error says why."""
    from common.store.alembic_run import run

    service, target = arguments
    return run(service, sys.stdin.read() if target == "-" else target)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
