"""The database engines of a CSS, as real servers and files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.common.processes import parent_of, with_children

ENGINES = ("sqlite", "postgres")


@dataclass(frozen=True)
class Engine:
    """Where one run keeps its things."""

    name: str
    directory: Path
    #: What a CSS needs to be told.
    settings: list[str]
    #: Of the database of the CSS; empty with SQLite.
    url: str = ""
    #: Of another database on the same server, for baselines.
    baseline_url: str = ""
    #: The server's first process; 0 with SQLite.
    server_pid: int = 0

    def server_pids(self) -> list[int]:
        """All processes of the database server; none with SQLite, which works inside the CSS."""
        return with_children(self.server_pid) if self.server_pid else []


@contextmanager
def running_engine(name: str) -> Iterator[Engine]:
    """An engine with an empty database, gone with this context."""
    with tempfile.TemporaryDirectory(prefix="edgesync-bench-") as directory:
        if name == "sqlite":
            yield Engine(name, Path(directory), [])
            return
        import psycopg

        from tests.support.servers import running_postgres

        with running_postgres() as server, server.database() as url, server.database() as baseline_url:
            with psycopg.connect(url) as connection:
                server_pid = parent_of(connection.info.backend_pid)
            settings = ["StorageProvider postgres", f"DatabaseURL {url}"]
            yield Engine(name, Path(directory), settings, url, baseline_url, server_pid)
