"""Positions of clients against databases that were restored from a backup, moved to another cluster, or wiped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from common.domain.objects import ObjectStatus
from common.store.migrate import create_all
from common.store.postgres import open_postgres
from common.store.sqlite import open_sqlite
from common.sync.changes import Position
from common.sync.feeding import Question, Reading, read_changes
from common.sync.ports import Database
from common.sync.showing import show
from tests.support.builders import ORG, an_object, object_key
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.servers import PostgresServer

ALL = Question(ORG, (object_key().type,))


def show_all(database: Database, *names: str) -> Position:
    """Each in a transaction; where a reader is that has seen them."""
    for name in names:
        item = replace(an_object(name, ObjectStatus.COMPLETELY_RECEIVED), is_own=False)
        database.write(lambda uow: show(uow, item))  # noqa: B023 - called before the loop goes on
    return read(database, None).position


def read(database: Database, since: Position | None) -> Reading:
    return database.read(lambda uow: read_changes(uow, ALL, since, 100))


def names(reading: Reading) -> list[str]:
    return [item.key.id for item in reading.objects]


@contextmanager
def sqlite(path: Path, now_ms: int = NOW_MS) -> Iterator[Database]:
    with closing(open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock(now_ms))) as database:
        yield database


@contextmanager
def postgres(url: str) -> Iterator[Database]:
    with closing(open_postgres(url, on_commit=lambda topics: None, clock=ManualClock())) as database:
        yield database


@pytest.mark.parametrize("later_ms", [60_000, 0, -60_000], ids=["later", "at once", "with a clock gone back"])
def test_a_restored_file_keeps_nothing_from_those_who_saw_what_came_after_the_backup(
    tmp_path: Path, later_ms: int
) -> None:
    path, backup = tmp_path / "sync.db", tmp_path / "backup.db"
    create_all(path)
    with sqlite(path) as database:
        show_all(database, "kept")
    shutil.copyfile(path, backup)
    with sqlite(path) as database:
        position = show_all(database, "lost", "lost-too")
    shutil.copyfile(backup, path)

    with sqlite(path, NOW_MS + later_ms) as database:
        show_all(database, "new")

        assert "new" in names(read(database, position))


def test_a_new_file_knows_no_position_of_an_old_one(tmp_path: Path) -> None:
    create_all(tmp_path / "old.db")
    create_all(tmp_path / "new.db")
    with sqlite(tmp_path / "old.db") as database:
        position = show_all(database, "a", "b", "c")

    with sqlite(tmp_path / "new.db") as database:
        show_all(database, "d")
        reading = read(database, position)

        assert names(reading) == ["d"]
        assert reading.starts_over


def test_a_server_that_starts_again_knows_its_positions(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as url:
        create_all(url)
        with postgres(url) as database:
            position = show_all(database, "a")
        with postgres(url) as database:
            show_all(database, "b")
            reading = read(database, position)

            assert names(reading) == ["b"]
            assert not reading.starts_over


@pytest.mark.parametrize("moved", ["cluster", "timeline"])
def test_a_database_that_was_moved_or_recovered_is_another_store(postgres_server: PostgresServer, moved: str) -> None:
    """Its rows have numbers of another cluster's transactions, here much larger than this one's."""
    with postgres_server.database() as url:
        create_all(url)
        with postgres(url) as database:
            position = show_all(database, "a", "b")
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE counters SET value = 7 WHERE name = %s", (moved,))
            if moved == "cluster":
                connection.execute("UPDATE objects SET change = change + 1000000000000")

        with postgres(url) as database:
            show_all(database, "c")
            reading = read(database, position)

            assert reading.starts_over
            assert names(reading) == ["a", "b", "c"]
            assert names(read(database, reading.position)) == []
