"""Runs the migrations of a service under a lock. Only the child process of `common.store.migrate` imports this."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from common.store.engines import engine_of
from common.store.migrate import is_url
from common.store.state_lock import StateLock, StateLocked

#: How long another process may take to migrate the same file first. One that serves it does not let go at all.
_LOCK_WAIT_SECONDS = 60.0

#: Of the advisory lock under which replicas migrate.
_LOCK_KEY = 0x6564_6773_796E_6301


def run(service: str, target: str) -> int:
    """Migrate to the newest revision; the exit status of the process."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("migrations") / service).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    try:
        with _locked(target) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except (CommandError, StateLocked, OSError, sa.exc.SQLAlchemyError) as error:
        reason = str(getattr(error, "orig", None) or error).strip()
        print(" ".join(reason.split()), file=sys.stderr)
        return 1
    return 0


@contextmanager
def _locked(target: str) -> Iterator[sa.Connection]:
    engine = engine_of(target)
    if is_url(target):
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK_KEY})
            connection.commit()
            yield connection  # the lock ends with the connection
        return
    lock = StateLock(Path(target), wait_seconds=_LOCK_WAIT_SECONDS)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        lock.release()
