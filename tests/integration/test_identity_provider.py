"""Fetching the keys of a provider over real connections: who is trusted, how long, how much."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.runtime.config.oidc import is_trustworthy
from common.runtime.http_call import Deadline
from common.runtime.http_fetch import Fetcher, FetchFailed
from common.runtime.tls import CertificateFiles, client_ssl_context, ensure_server_certificate, server_ssl_context
from tests.support.webhook_receiver import answer, receiver

_MOST_BYTES = 1000


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> CertificateFiles:
    return ensure_server_certificate(tmp_path_factory.mktemp("certs"), [], datetime.now(UTC))


@contextlib.contextmanager
def trickling(seconds_between: float) -> Iterator[str]:
    """A server that sends a valid answer a byte at a time."""

    def send_slowly(stream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b"x" * 500:
                stream.sendall(bytes([byte]))
                time.sleep(seconds_between)

    with receiver(send_slowly) as server:
        yield server.address


def fetch(url: str, seconds: float = 10.0, ca: Path | None = None) -> bytes:
    return Fetcher(lambda: client_ssl_context(str(ca) if ca else "")).get(url, Deadline(seconds), _MOST_BYTES)


def test_a_document_is_fetched_whole() -> None:
    with receiver(answer(200, b"x" * _MOST_BYTES)) as server:
        assert fetch(f"http://{server.address}/keys?a=1") == b"x" * _MOST_BYTES
        assert server.heard[0].start_line.startswith("GET /keys?a=1 ")


@pytest.mark.parametrize(
    "reply", [answer(200, b"x" * (_MOST_BYTES + 1)), answer(404), answer(500, b"x"), b"nonsense\r\n\r\n", b""]
)
def test_what_is_no_document_is_refused(reply: bytes) -> None:
    with receiver(reply) as server, pytest.raises(FetchFailed):
        fetch(f"http://{server.address}/")


def test_redirects_are_not_followed() -> None:
    with receiver(answer(200, b"{}")) as other, receiver(answer(302, location=f"http://{other.address}/")) as server:
        with pytest.raises(FetchFailed, match="302"):
            fetch(f"http://{server.address}/")
        assert other.heard == []


def test_the_time_limit_is_for_all_of_it() -> None:
    began_at = time.monotonic()
    with trickling(0.05) as address, pytest.raises(FetchFailed, match="within"):
        fetch(f"http://{address}/", seconds=0.5)
    assert time.monotonic() - began_at < 15  # every byte alone was in time


def test_a_provider_is_trusted_by_its_certificate_alone(certificate: CertificateFiles) -> None:
    context: ssl.SSLContext = server_ssl_context(certificate)
    with receiver(answer(200, b"{}"), tls=context) as server:
        assert fetch(f"https://localhost:{server.port}/", ca=certificate.certificate) == b"{}"
        with pytest.raises(FetchFailed, match="cannot be reached"):
            fetch(f"https://localhost:{server.port}/")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(FetchFailed):
        fetch(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://login.example.com/realms/fleet", True), ("https://login.example.com", True), ("http://127.0.0.1:8080/x", True),
        ("http://localhost/x", True), ("http://[::1]:1/x", True), ("http://login.example.com/", False), ("http://localhost.example.com/", False),
        ("https://", False), ("ftp://127.0.0.1/", False), ("login.example.com", False), ("https://u:p@login.example.com/", False),
        ("https://login.example.com/?a", False), ("https://login.example.com/#a", False), ("https://login.example.com:99999/", False),
        ("http://127.0.0.1.example.com/", False), ("", False),
    ],
)  # fmt: skip
def test_which_addresses_may_vouch_for_anybody(url: str, is_good: bool) -> None:
    assert is_trustworthy(url) is is_good
