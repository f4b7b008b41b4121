"""One suite for every implementation of a port."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.sync.ports import Database
from tests.support.manual_clock import ManualClock
from tests.support.servers import PostgresServer
from tests.support.store_places import (
    InMemory,
    OnPostgres,
    OnSqlite,
    Place,
    Wakeups,
    create_postgres_schema,
    sqlite_template,
)

PLACES = ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="session")
def sqlite_schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file to copy."""
    return sqlite_template(tmp_path_factory.mktemp("schema") / "empty.db")


@pytest.fixture(scope="session")
def postgres_schema(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a database with the schema in place, emptied for each test."""
    with postgres_server.database() as url:
        create_postgres_schema(url)
        yield url


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where the test's database lives. A test that is not for all of them parametrizes this fixture indirectly."""
    match request.param:
        case "sqlite":
            return OnSqlite(request.getfixturevalue("sqlite_schema"), tmp_path / "sync.db")
        case "postgres":
            return OnPostgres(request.getfixturevalue("postgres_schema"))
        case _:
            return InMemory()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def woken() -> Wakeups:
    return Wakeups()


@pytest.fixture
def open_database(place: Place, clock: ManualClock, woken: Wakeups) -> Iterator[Callable[[], Database]]:
    """Opens the test's database, also once more: as a restarted service does, or as another replica."""
    opened: list[Database] = []

    def open_one() -> Database:
        opened.append(place.open(on_commit=woken, clock=clock))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


@pytest.fixture
def database(open_database: Callable[[], Database]) -> Database:
    return open_database()
