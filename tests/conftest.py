"""Fixtures every kind of test may ask for. A server is started by the first test that needs it, and never skipped."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.servers import Mosquitto, PostgresServer, running_mosquitto, running_postgres

# The machines that run tests are slow and shared: how long an example takes says nothing about the code.
settings.register_profile("edgesync", settings(), deadline=None)
settings.load_profile("edgesync")

_SERVER_FIXTURES = {"postgres_server": "postgres", "postgres_url": "postgres", "mosquitto": "mosquitto"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the servers it asks for, so that a run without servers can leave it out."""
    for item in items:
        if isinstance(item, pytest.Function):
            for marker in {_SERVER_FIXTURES[name] for name in item.fixturenames if name in _SERVER_FIXTURES}:
                item.add_marker(marker)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL for the whole run; for tests that need more than the module's database."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """`postgresql://user@127.0.0.1:port/database` of an empty database shared by the tests of one module."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="module")
def mosquitto() -> Iterator[Mosquitto]:
    """A running broker shared by the tests of one module, which may stop, kill, wipe and start it."""
    with running_mosquitto() as broker:
        yield broker
