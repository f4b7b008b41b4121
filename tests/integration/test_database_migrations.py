"""Databases come to the schema of this version by themselves, whoever starts, and however many at once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import get_args

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from common.store.engines import engine_of
from common.store.migrate import HEADS, MigrationFailed, Service, create_all, revision_of, upgrade
from common.store.schema import metadata_of
from common.store.sqlite import open_sqlite
from tests.support.manual_clock import ManualClock
from tests.support.servers import PostgresServer

SERVICES = get_args(Service)


@pytest.mark.parametrize("service", SERVICES)
def test_the_newest_revision_is_the_one_the_code_expects(service: Service) -> None:
    config = Config()
    config.set_main_option("script_location", str(resources.files("migrations") / service))
    config.set_main_option("path_separator", "os")

    assert ScriptDirectory.from_config(config).get_heads() == [HEADS[service]]


@pytest.mark.parametrize("service", SERVICES)
def test_an_absent_file_is_created_once(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "below" / "sync.db"
    upgrade(service, path)
    upgrade(service, path)

    assert revision_of(path) == HEADS[service]
    assert differences(path) == []
    open_sqlite(path, on_commit=lambda topics: None, clock=ManualClock()).close()


def test_an_empty_postgres_database_is_migrated_once(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as url:
        upgrade("css", url)
        upgrade("css", url)

        assert revision_of(url) == HEADS["css"]
        assert differences(url) == []


def test_migrations_build_what_the_code_declares(postgres_server: PostgresServer, tmp_path: Path) -> None:
    create_all(tmp_path / "declared.db")
    upgrade("css", tmp_path / "migrated.db")
    assert shape_of(tmp_path / "migrated.db") == shape_of(tmp_path / "declared.db")

    with postgres_server.database() as declared, postgres_server.database() as migrated:
        create_all(declared)
        upgrade("css", migrated)
        assert shape_of(migrated) == shape_of(declared)


def test_services_that_start_at_the_same_time_migrate_once(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with postgres_server.database() as url, ThreadPoolExecutor() as starters:
        for target in (url, tmp_path / "sync.db"):
            for started in [starters.submit(upgrade, "css", target) for _ in range(3)]:
                started.result()
            assert revision_of(target) == HEADS["css"]


def test_a_database_of_a_newer_version_is_refused_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "sync.db"
    upgrade("ess", path)
    with engine_of(path).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(MigrationFailed, match="9999"):
        upgrade("ess", path)


def test_a_migration_that_fails_leaves_nothing_behind(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with postgres_server.database() as url:
        for target in (url, tmp_path / "sync.db"):
            engine = engine_of(target)
            with engine.begin() as connection:
                connection.execute(sa.text("CREATE TABLE uploads (in_the_way integer)"))

            with pytest.raises(MigrationFailed, match="already exists"):
                upgrade("css", target)

            assert set(shape_of(target)) == {"uploads"}


def test_a_server_that_cannot_be_reached_is_a_reason_too() -> None:
    with pytest.raises(MigrationFailed, match="connection"):
        upgrade("css", "postgresql://nobody@127.0.0.1:1/nothing")


def test_migrating_can_be_undone_on_both_engines(postgres_server: PostgresServer, tmp_path: Path) -> None:
    with postgres_server.database() as url:
        for target in (url, tmp_path / "sync.db"):
            upgrade("css", target)
            alembic(target, "downgrade", "base")
            assert shape_of(target) == {}
            upgrade("css", target)


def alembic(target: str | Path, *arguments: str) -> None:
    url = engine_of(target).url.render_as_string(hide_password=False)
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "alembic", "--name", "css", "-x", f"url={url}", *arguments]
    subprocess.run(command, cwd=root, check=True, capture_output=True)


def differences(target: str | Path) -> list[object]:
    """What a new migration would have to change."""
    engine = engine_of(target)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        return list(compare_metadata(context, metadata_of(engine.dialect.name)))


def shape_of(target: str | Path) -> dict[str, object]:
    """Tables with their columns, keys and indexes as the database itself describes them."""
    inspector = sa.inspect(engine_of(target))
    return {
        table: (
            [(c["name"], repr(c["type"]), c["nullable"], c["default"]) for c in inspector.get_columns(table)],
            inspector.get_pk_constraint(table),
            inspector.get_unique_constraints(table),
            sorted(
                (str(index["name"]), index["column_names"], sorted(map(str, index["dialect_options"].values())))
                for index in inspector.get_indexes(table)
            ),
        )
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }
