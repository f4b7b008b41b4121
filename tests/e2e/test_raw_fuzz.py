"""Bytes below the framework: whatever a connection sends, it comes to an end, and the next good request is answered."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.golden_trio import running_trio
from tests.support.raw_requests import conversations, expanded
from tests.support.service_process import HOST, Service

_EXAMPLES = int(os.environ.get("EDGESYNC_FUZZ_EXAMPLES", "150"))

#: How long an end may take: far more than any answer does, far less than a keep-alive.
_PATIENCE_SECONDS = 10.0
_MOMENT_SECONDS = 0.05
_GROWTH_BYTES = 16 << 20


@pytest.fixture(scope="module")
def css() -> Iterator[Service]:
    with tempfile.TemporaryDirectory(prefix="edgesync-") as directory, running_trio(Path(directory), None) as trio:
        yield trio.css


@pytest.mark.timeout(300)
def test_no_bytes_hang_a_connection_or_harm_the_service(css: Service) -> None:
    address = (HOST, int(css.base_url.rpartition(":")[2]))
    settled: list[int] = []

    @settings(
        max_examples=_EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
    )
    @given(conversations())
    def send(pieces: list[bytes]) -> None:
        assert _comes_to_an_end(address, pieces)
        assert _answers(address)
        if len(settled) < 20:
            settled.append(css.memory_bytes())

    send()
    assert css.is_running
    assert css.memory_bytes() < max(settled) + _GROWTH_BYTES
    log = css.log_path.read_text()
    assert "request_failed" not in log
    assert "Invalid HTTP request" not in log, "strangers can fill the log"
    _wait_for_closed_connections(css)


def _comes_to_an_end(address: tuple[str, int], pieces: list[bytes]) -> bool:
    """Sends everything, says that nothing more comes, and takes what is answered until the server closes."""
    with socket.create_connection(address, timeout=_PATIENCE_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                connection.sendall(expanded(piece))
            _take_what_comes(connection)
            connection.settimeout(_PATIENCE_SECONDS)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:  # closed by the server before everything was sent
            return True
    return True


def _take_what_comes(connection: socket.socket) -> None:
    """Answers, until there are no more for a moment: a connection that says its end too early gets none."""
    connection.settimeout(_MOMENT_SECONDS)
    with contextlib.suppress(TimeoutError):
        while connection.recv(65536):
            pass


def _answers(address: tuple[str, int]) -> bool:
    with socket.create_connection(address, timeout=_PATIENCE_SECONDS) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        return connection.makefile("rb").readline().startswith(b"HTTP/1.1 200 ")


def _wait_for_closed_connections(service: Service) -> None:
    """None of them is left open behind the client that is gone."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (left := _established(service)) > _LINKS_OF_EDGES and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left <= _LINKS_OF_EDGES


#: Two edges keep a few connections each.
_LINKS_OF_EDGES = 20


def _established(service: Service) -> int:
    files = Path(f"/proc/{service.process_id}/fd")
    return sum(1 for file in files.iterdir() if _is_socket(file))


def _is_socket(file: Path) -> bool:
    try:
        return str(file.readlink()).startswith("socket:")
    except OSError:
        return False
