"""The real servers that tests run against: PostgreSQL and the Mosquitto broker."""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from signal import SIGINT, SIGTERM
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.support.server_binaries import POSTGRES_URL_VARIABLE, find_mosquitto, find_postgres_bin
from tests.support.server_process import HOST, ServerProcess

_POSTGRES_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
}

# A broker with these limits loses nothing while it runs; what it keeps across a kill is up to a second old.
_MOSQUITTO_SETTINGS = """\
listener {port} {host}
allow_anonymous true
persistence true
persistence_location {directory}/
autosave_interval 1
max_queued_messages 0
max_inflight_messages 100
set_tcp_nodelay true
"""


class PostgresProcess(ServerProcess):
    """A PostgreSQL instance of its own, with durable commits."""

    name = "postgres"
    stop_signal = SIGINT  # PostgreSQL's "fast" shutdown: does not wait for clients that forgot to leave

    def __init__(self) -> None:
        self._bin = find_postgres_bin()
        super().__init__()
        self.run(
            [
                str(self._bin / "initdb"),
                f"--pgdata={self._data}",
                "--username=edgesync",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--no-instructions",
            ]
        )

    @property
    def url(self) -> str:
        """Of the maintenance database."""
        return f"postgresql://edgesync@{HOST}:{self.port}/postgres"

    def command(self) -> Sequence[str]:
        settings = [f"--{key}={value}" for key, value in _POSTGRES_SETTINGS.items()]
        return [str(self._bin / "postgres"), "-D", self._data, f"--port={self.port}", *settings]

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def _data(self) -> str:
        return str(self.directory / "data")


class Mosquitto(ServerProcess):
    """A Mosquitto broker of its own that lets everybody in."""

    name = "mosquitto"
    stop_signal = SIGTERM

    def __init__(self, extra_settings: str = "") -> None:
        self._program = find_mosquitto()
        super().__init__()
        settings = _MOSQUITTO_SETTINGS.format(host=HOST, port=self.port, directory=self.directory)
        self._config_path = self.directory / "mosquitto.conf"
        self._config_path.write_text(settings + extra_settings)
        self._config_path.chmod(0o644)

    @property
    def url(self) -> str:
        return f"mqtt://{HOST}:{self.port}"

    def command(self) -> Sequence[str]:
        return [str(self._program), "-c", str(self._config_path)]

    def answers(self) -> bool:
        return self.accepts_connections()

    def wipe(self) -> None:
        """Forget every session, subscription and message, as a broker on a new disk would."""
        self.kill()
        (self.directory / "mosquitto.db").unlink(missing_ok=True)
        self.start()


@dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL on which tests may create databases; `url` is that of a database to do it from."""

    url: str

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a fresh database, dropped afterwards even if somebody is still connected."""
        name = f"edgesync_test_{secrets.token_hex(6)}"
        self._execute("CREATE DATABASE {}", name)
        try:
            yield urlsplit(self.url)._replace(path=f"/{name}").geturl()
        finally:
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def _execute(self, statement: str, database: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(database)))


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """The server that `EDGESYNC_TEST_POSTGRES_URL` names, or else an instance that ends with this context."""
    if given := os.environ.get(POSTGRES_URL_VARIABLE):
        yield PostgresServer(given)
        return
    process = PostgresProcess()
    try:
        process.start()
        yield PostgresServer(process.url)
    finally:
        process.remove()


@contextmanager
def running_mosquitto(extra_settings: str = "") -> Iterator[Mosquitto]:
    """A broker that ends with this context."""
    broker = Mosquitto(extra_settings)
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()
