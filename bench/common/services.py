"""The services under measurement: real processes with a generated configuration, in a directory of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.common.client import HOST, NODE_TYPE, ORG, Connection, RequestFailed, build

ROOT = Path(__file__).resolve().parents[2]

_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
_LOOK_SECONDS = 0.002


class Service:
    """One CSS or ESS that may be stopped and started again on the same state."""

    def __init__(self, program: str, directory: Path, settings: Sequence[str]) -> None:
        self.program = program
        self.port = free_port()
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._config = directory / "service.conf"
        lines = [
            f"NodeType {program.upper()}",
            f"PersistenceRootPath {directory}",
            "AuthenticationHandler dummy",
            "ListeningType unsecure",
            f"ListeningAddress {HOST}",
            f"UnsecureListeningPort {self.port}",
            "LogFormat json",
            # One caller makes all requests here, as fast as they are answered.
            "MaxRequestsPerSecond 0",
            *settings,
        ]
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log_path(self) -> Path:
        return self.directory / "service.log"

    def start(self, extra_environment: dict[str, str] | None = None) -> float:
        """Start it and wait for its first answer; seconds from one to the other."""
        environment = {**os.environ, **(extra_environment or {})}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        started = time.perf_counter()
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.program, "-c", self._config],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        while not self._answers():
            if self._process.poll() is not None or time.perf_counter() - started > _START_SECONDS:
                self.kill()
                raise RuntimeError(f"{self.program} did not start:\n{self.log_path.read_text()[-2000:]}")
            time.sleep(_LOOK_SECONDS)
        return time.perf_counter() - started

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def connection(self) -> Connection:
        return Connection(self.port)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, RequestFailed), self.connection() as connection:
            return connection.ask(build("GET", "/livez")).status == 200
        return False


@contextmanager
def running(program: str, directory: Path, settings: Sequence[str] = ()) -> Iterator[Service]:
    """A service that ends with this context."""
    service = Service(program, directory, settings)
    service.start()
    try:
        yield service
    finally:
        service.stop()


def edge_settings(node_id: str, css_port: int) -> list[str]:
    """The settings of an ESS with this name that reaches its cloud on `css_port`."""
    return [
        f"OrgID {ORG}",
        f"DestinationType {NODE_TYPE}",
        f"DestinationID {node_id}",
        f"HTTPCSSHost {HOST}",
        f"HTTPCSSPort {css_port}",
    ]


def wait_until_linked(css: Service, node_id: str) -> None:
    """Wait until the CSS lists the node. Raises TimeoutError."""
    wanted = f'"{node_id}"'.encode()
    with css.connection() as connection:
        for _ in range(1000):
            if wanted in connection.ask(build("GET", f"/api/v1/destinations/{ORG}")).body:
                return
            time.sleep(0.02)
    raise TimeoutError(f"node {node_id} did not register")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port
