"""The certificate a service makes for itself, judged by real TLS clients."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.runtime.key_making import VALIDITY
from common.runtime.tls import (
    RENEW_BEFORE,
    CertificateFiles,
    client_ssl_context,
    ensure_server_certificate,
    server_ssl_context,
)

NOW = datetime.now(UTC)
NAMES = ["edge-17.example", "192.0.2.17"]


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return ensure_server_certificate(tmp_path / "certs", NAMES, NOW)


@contextmanager
def serving(files: CertificateFiles) -> Iterator[int]:
    """A server on 127.0.0.1 that says hello to whoever passes the handshake."""
    context = server_ssl_context(files)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(connection, server_side=True) as secured:
                        secured.recv(4096)
                        secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
                except OSError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def greeting(port: int, context: ssl.SSLContext, name: str) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
        context.wrap_socket(connection, server_hostname=name) as secured,
    ):
        secured.sendall(b"GET / HTTP/1.1\r\n\r\n")
        return secured.recv(4096)[-5:]


@pytest.mark.parametrize("name", ["localhost", "edge-sync-service", "127.0.0.1", "::1", *NAMES])
def test_a_client_given_the_certificate_reaches_the_service_by_every_name(files: CertificateFiles, name: str) -> None:
    by_path, by_text = client_ssl_context(str(files.certificate)), client_ssl_context(files.certificate.read_text())
    # What Python 3.13 turns on by itself.
    by_text.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN

    with serving(files) as port:
        assert greeting(port, by_path, name) == b"hello"
        assert greeting(port, by_text, name) == b"hello"


def test_other_names_and_other_clients_are_refused(files: CertificateFiles) -> None:
    with serving(files) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            greeting(port, client_ssl_context(str(files.certificate)), "elsewhere.example")
        with pytest.raises(ssl.SSLCertVerificationError):
            greeting(port, client_ssl_context(), "localhost")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_takes_the_certificate_as_ca_file(files: CertificateFiles) -> None:
    with serving(files) as port:
        command = ["curl", "--silent", "--show-error", "--max-time", "10", "--noproxy", "*"]
        command += ["--cacert", str(files.certificate), f"https://localhost:{port}/"]
        fetched = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)

    assert (fetched.stdout, fetched.stderr) == ("hello", "")


def test_a_good_pair_is_kept(files: CertificateFiles) -> None:
    before = files.certificate.read_bytes(), files.key.read_bytes()

    late = NOW + VALIDITY - RENEW_BEFORE - timedelta(hours=1)
    for now, names in [(NOW, NAMES), (late, []), (NOW, ["EDGE-17.example", "LOCALHOST", "0:0:0:0:0:0:0:1"])]:
        assert ensure_server_certificate(files.certificate.parent, names, now) == files

    assert (files.certificate.read_bytes(), files.key.read_bytes()) == before


def test_a_clock_that_is_behind_does_not_replace_the_pair(files: CertificateFiles) -> None:
    before = files.certificate.read_bytes()

    ensure_server_certificate(files.certificate.parent, NAMES, datetime(1970, 1, 1, tzinfo=UTC))

    assert files.certificate.read_bytes() == before


@pytest.mark.parametrize("now", [NOW + VALIDITY - RENEW_BEFORE + timedelta(hours=1), NOW + 2 * VALIDITY])
def test_a_pair_that_has_expired_or_will_soon_is_renewed(files: CertificateFiles, now: datetime) -> None:
    before = files.certificate.read_bytes()

    ensure_server_certificate(files.certificate.parent, NAMES, now)

    assert files.certificate.read_bytes() != before


def test_a_pair_without_a_wanted_name_is_renewed(files: CertificateFiles) -> None:
    ensure_server_certificate(files.certificate.parent, ["edge-18.example", "2001:db8::18"], NOW)

    with serving(files) as port:
        context = client_ssl_context(str(files.certificate))
        assert greeting(port, context, "edge-18.example") == greeting(port, context, "2001:db8::18") == b"hello"


@pytest.mark.parametrize("damage", ["key missing", "certificate missing", "other key", "key torn", "certificate torn"])
def test_a_damaged_pair_is_made_anew(files: CertificateFiles, tmp_path: Path, damage: str) -> None:
    match damage:
        case "key missing":
            files.key.unlink()
        case "certificate missing":
            files.certificate.unlink()
        case "other key":
            shutil.copy(ensure_server_certificate(tmp_path / "other", [], NOW).key, files.key)
        case "key torn":
            files.key.write_bytes(files.key.read_bytes()[:100])
        case "certificate torn":
            files.certificate.write_bytes(files.certificate.read_bytes()[:100])

    ensure_server_certificate(files.certificate.parent, NAMES, NOW)

    with serving(files) as port:
        assert greeting(port, client_ssl_context(str(files.certificate)), "localhost") == b"hello"


def test_the_key_is_private_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        files = ensure_server_certificate(tmp_path / "certs", [], NOW)
    finally:
        os.umask(previous)

    assert files.key.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in files.key.parent.iterdir()) == ["cert.pem", "key.pem"]


def test_a_directory_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "certs").touch()

    with pytest.raises(OSError, match="certs"):
        ensure_server_certificate(tmp_path / "certs", [], NOW)


@pytest.mark.parametrize(
    "ca", ["/nowhere/ca.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"]
)
def test_an_unusable_ca_is_reported(ca: str) -> None:
    with pytest.raises(OSError, match=r"No such file|does not contain a certificate"):
        client_ssl_context(ca)


def test_looking_at_a_good_pair_loads_no_certificate_library(files: CertificateFiles) -> None:
    program = f"""
import sys
from datetime import UTC, datetime
from pathlib import Path
from common.runtime.tls import ensure_server_certificate
ensure_server_certificate(Path({str(files.certificate.parent)!r}), {NAMES!r}, datetime.now(UTC))
assert not [name for name in sys.modules if name.startswith("cryptography")]
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
