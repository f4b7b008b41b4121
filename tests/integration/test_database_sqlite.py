"""The SQLite database as a process and a disk see it."""

import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from common.domain.errors import Unavailable
from common.store.migrate import create_all
from common.store.sqlite import open_sqlite
from common.store.state_lock import StateLocked
from tests.support.builders import a_node
from tests.support.manual_clock import ManualClock

WRITERS = 8

#: Acknowledges every write on its standard output, as soon as the database says it is durable.
_WRITING_PROCESS = f"""
import os, sys, threading
from pathlib import Path
from common.store.sqlite import open_sqlite
from tests.support.builders import a_node
from tests.support.manual_clock import ManualClock

database = open_sqlite(Path(sys.argv[1]), on_commit=lambda topics: None, clock=ManualClock())

def write_for_ever(writer):
    number = 0
    while True:
        node = a_node(f"{{sys.argv[2]}}-{{writer}}-{{number}}")
        instance = database.write(lambda uow: (uow.nodes.save(node), uow.next_instances(1)[0])[1])
        os.write(1, f"{{node.key.id}} {{instance}}\\n".encode())
        number += 1

for writer in range({WRITERS}):
    threading.Thread(target=write_for_ever, args=(writer,)).start()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_all(tmp_path / "sync.db")
    return tmp_path / "sync.db"


def acknowledged_before_a_kill(path: Path, life: int, after_lines: int) -> list[tuple[str, int]]:
    """Nodes and instance numbers that a process acknowledged before it was killed in the middle of its work."""
    with subprocess.Popen(
        [sys.executable, "-c", _WRITING_PROCESS, str(path), str(life)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after_lines)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(node, int(instance)) for node, instance in whole]


def test_what_was_acknowledged_survives_kills(path: Path) -> None:
    moment = random.Random(7)
    acknowledged: list[tuple[str, int]] = []
    for life in range(5):
        earlier = max((instance for _, instance in acknowledged), default=0)
        answers = acknowledged_before_a_kill(path, life, after_lines=moment.randint(1, 300))
        assert min(instance for _, instance in answers) > earlier
        acknowledged += answers

    with closing(open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock())) as database:
        stored = {node.key.id for node in database.read(lambda uow: uow.nodes.list_of_org("acme"))}
    assert {node for node, _ in acknowledged} <= stored
    assert len({instance for _, instance in acknowledged}) == len(acknowledged)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_second_process_is_refused_at_once(path: Path) -> None:
    with (
        closing(open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock())),
        subprocess.Popen(
            [sys.executable, "-c", _WRITING_PROCESS, str(path), "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as second,
    ):
        _, error = second.communicate(timeout=20)

    assert second.returncode != 0
    assert b"StateLocked" in error
    assert b"in use by another running service (process " in error


def test_a_closed_database_is_free_for_the_next_owner(path: Path) -> None:
    for _ in range(2):
        open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock()).close()


def test_the_same_process_cannot_own_a_file_twice_either(path: Path) -> None:
    with (
        closing(open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock())),
        pytest.raises(StateLocked, match="in use"),
    ):
        open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock())


def test_closing_leaves_a_single_file_that_only_its_owner_may_read(path: Path) -> None:
    database = open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock())
    database.write(lambda uow: uow.nodes.save(a_node("n1")))
    database.read(lambda uow: uow.nodes.count())
    database.close()

    assert {file.name for file in path.parent.iterdir()} == {"sync.db", "sync.db.lock"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_missing_file_is_unavailable_and_stays_free(tmp_path: Path) -> None:
    path = tmp_path / "sync.db"
    with pytest.raises(Unavailable):
        open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock())

    create_all(path)
    open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock()).close()


def test_a_snapshot_cannot_write(path: Path) -> None:
    with closing(open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock())) as database:
        with pytest.raises((sqlite3.OperationalError, Unavailable)):
            database.read(lambda uow: uow.nodes.save(a_node("n1")))
        with pytest.raises(RuntimeError):
            database.read(lambda uow: uow.next_instances(1))

        assert database.read(lambda uow: uow.nodes.count()) == 0
