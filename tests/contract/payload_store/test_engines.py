"""What is particular to one payload store: private files, full disks, lost connections."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from common.store.payload_tables import CHUNK_BYTES
from common.sync.payloads import (
    HasPath,
    PayloadIncomplete,
    PayloadMissing,
    PayloadStoreFull,
    PayloadStoreUnavailable,
    StoredPayload,
)
from tests.support.payload_places import NAME, OTHER_NAME, Place, stage


def test_files_are_private_and_nothing_stays_in_the_staging_area(files: Place) -> None:
    store = files.open()
    stage(store, NAME, (0, b"abc"))
    store.seal(NAME, 3)

    assert isinstance(store, HasPath)
    path = store.path(NAME)
    assert path is not None
    assert path.read_bytes() == b"abc"
    root = Path(files.address)
    assert {p.stat().st_mode & 0o777 for p in [root, *root.iterdir()]} == {0o700}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list((root / "staging").iterdir()) == []
    assert store.path(OTHER_NAME) is None


def test_a_file_held_open_is_readable_to_its_end_though_deleted(files: Place) -> None:
    store = files.open()
    stage(store, NAME, (0, b"abcdef"))
    store.seal(NAME, 6)

    with store.open(NAME) as reader:
        store.delete(NAME)

        assert reader.read(0, 6) == b"abcdef"


def test_foreign_files_in_the_tree_are_left_out(files: Place) -> None:
    store = files.open()
    (Path(files.address) / "lost+found").mkdir()
    (Path(files.address) / "README").touch()
    (Path(files.address) / "staging" / ".hidden").touch()

    assert list(store.names()) == []


def test_a_full_disk_is_a_retryable_error(files: Place) -> None:
    store = files.open()
    (Path(files.address) / "staging" / NAME).symlink_to("/dev/full")

    with store.writer(NAME) as writer, pytest.raises(PayloadStoreFull) as raised:
        writer.write(0, b"abc")

    assert raised.value.retryable


def test_a_disk_error_is_a_retryable_error(files: Place) -> None:
    store = files.open()
    (Path(files.address) / "staging").rmdir()

    with pytest.raises(PayloadStoreUnavailable) as raised:
        store.writer(NAME)

    assert raised.value.retryable


def test_a_full_database_is_a_retryable_error(postgres: Place) -> None:
    store = postgres.open()
    with closing(psycopg.connect(postgres.address, autocommit=True)) as connection:
        connection.execute("""
            CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$
        """)
        connection.execute("CREATE TRIGGER disk_is_full BEFORE INSERT ON payload_chunks EXECUTE FUNCTION no_room()")
        try:
            with pytest.raises(PayloadStoreFull):
                stage(store, NAME, (0, b"abc"))
        finally:
            connection.execute("DROP FUNCTION no_room CASCADE")

    stage(store, NAME, (0, b"abc"))
    store.seal(NAME, 3)


def test_lost_connections_are_a_retryable_error_once(postgres: Place) -> None:
    store = postgres.open()
    stage(store, NAME, (0, b"abc"))
    with closing(psycopg.connect(postgres.address, autocommit=True)) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )

    with pytest.raises(PayloadStoreUnavailable):
        store.seal(NAME, 3)

    store.seal(NAME, 3)


def test_an_unreachable_database_is_a_retryable_error() -> None:
    place = Place("postgres", "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")

    with pytest.raises(PayloadStoreUnavailable):
        place.open().size(NAME)


def test_a_deleted_payload_ends_its_reader_in_postgres(postgres: Place) -> None:
    store = postgres.open()
    stage(store, NAME, (0, b"abc"))
    store.seal(NAME, 3)

    with store.open(NAME) as reader:
        store.delete(NAME)
        with pytest.raises(PayloadMissing):
            reader.read(0, 3)


def test_a_hole_of_a_whole_chunk_is_noticed_by_postgres(postgres: Place) -> None:
    store = postgres.open()
    stage(store, NAME, (0, b"abc"), (2 * CHUNK_BYTES, b"abc"))

    with pytest.raises(PayloadIncomplete):
        store.seal(NAME, 2 * CHUNK_BYTES + 3)
    assert store.read_staged(NAME, 0, 3 * CHUNK_BYTES) == b"abc"
    assert [*store.names()] == [StoredPayload(NAME, False, pytest.approx(time.time(), abs=5))]  # type: ignore[arg-type]
