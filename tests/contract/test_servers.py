"""What the tests rely on when they crash a server on purpose."""

import psycopg
import pytest

from tests.support.servers import Mosquitto, PostgresProcess


@pytest.mark.postgres
def test_a_killed_postgres_comes_back_with_what_it_committed() -> None:
    server = PostgresProcess()
    try:
        server.start()
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (number int)")
            connection.execute("INSERT INTO kept VALUES (1)")

        server.kill()
        server.start()

        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchall() == [(1,)]
    finally:
        server.remove()


def test_each_module_has_a_database_to_itself_with_durable_commits(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        durability = connection.execute(
            "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
        ).fetchone()

    assert tables == (0,)
    assert durability == ("on", "on")


def test_a_broker_can_be_killed_and_wiped_and_keeps_its_port(mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    assert not mosquitto.answers()

    mosquitto.start()
    mosquitto.wipe()

    assert mosquitto.answers()
