"""Every kind of listener, on both services, as clients meet it."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGHUP

import httpx
import pytest

from common.domain.ids import NodeKey
from common.runtime import certificate_authority
from common.runtime.certificate_authority import new_authority
from common.runtime.clock import SystemClock
from common.runtime.key_making import VALIDITY, certificate_request, self_signed
from common.runtime.tls import CertificateFiles
from common.sync.enrolment import Authority
from tests.support.apps import wait_until
from tests.support.deployment import Cloud, Edge
from tests.support.enrolled import server_pair
from tests.support.service_process import HOST, Service, ServiceFailed, free_port

Start = Callable[..., Service]


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="edgesync-") as name:
        yield Path(name)


@pytest.fixture
def start(directory: Path) -> Iterator[Start]:
    """Starts a CSS or an ESS with these settings; it ends with the test."""
    with ExitStack() as running:

        def start_one(kind: str, **settings: object) -> Service:
            service: Service = Cloud(directory / kind) if kind == "css" else Edge(directory / kind, "camera", "c1", 9)
            pair = server_pair(service.state_directory) if kind == "css" else None
            if pair is not None and settings["ListeningType"] not in ("unsecure", "unix"):
                service.settings |= {"ServerCertificate": pair.certificate, "ServerKey": pair.key}
            service.settings |= {"SecureListeningPort": free_port(), **settings}
            running.callback(service.kill)
            service.start()
            return service

        yield start_one


def pair_of(service: Service) -> CertificateFiles:
    directory = service.state_directory / "sync" / "certs"
    return CertificateFiles(directory / "cert.pem", directory / "key.pem")


def trusting(service: Service, identity: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=pair_of(service).certificate)
    if identity is not None:
        context.load_cert_chain(identity)
    return context


def probe(url: str, context: ssl.SSLContext | bool = False, socket_path: Path | None = None) -> int:
    transport = httpx.HTTPTransport(verify=context, uds=str(socket_path) if socket_path else None)
    with httpx.Client(transport=transport, timeout=10) as client:
        return client.get(f"{url}/readyz").status_code


def shown_certificate(service: Service) -> str:
    return ssl.get_server_certificate((HOST, int(str(service.settings["SecureListeningPort"]))), timeout=10)


@pytest.mark.parametrize("kind", ["css", "ess"])
def test_both_listeners_serve_the_same_service(start: Start, kind: str) -> None:
    service = start(kind, ListeningType="both")

    plain, secure = (service.settings[f"{word}ListeningPort"] for word in ("Unsecure", "Secure"))
    assert probe(f"http://{HOST}:{plain}") == 200
    assert probe(f"https://{HOST}:{secure}", trusting(service)) == 200
    with pytest.raises(httpx.TransportError):
        probe(f"http://{HOST}:{secure}")


@pytest.mark.parametrize("kind", ["css", "ess"])
@pytest.mark.parametrize("word", ["secure", "unsecure"])
def test_a_single_listener_is_the_only_one(start: Start, kind: str, word: str) -> None:
    service = start(kind, ListeningType=word)

    assert probe(service.base_url, trusting(service) if word == "secure" else False) == 200
    other = "Unsecure" if word == "secure" else "Secure"
    with pytest.raises(httpx.ConnectError):
        probe(f"http://{HOST}:{service.settings[f'{other}ListeningPort']}")


@pytest.mark.parametrize("kind", ["css", "ess"])
@pytest.mark.parametrize("word", ["unix", "secure-unix"])
def test_a_unix_socket_has_its_permissions_and_outlives_a_crash(start: Start, kind: str, word: str) -> None:
    settings = {"ListeningType": word, "ListeningAddress": "sync/s.sock", "UnixSocketFilePermissions": "0600"}
    service = start(kind, **settings)
    path = service.state_directory / "sync" / "s.sock"

    assert path.stat().st_mode & 0o777 == 0o600
    context = trusting(service) if word == "secure-unix" else False
    assert probe("https://localhost" if context else "http://localhost", context, path) == 200

    # The socket of a process that was killed stays; the next one takes its place.
    service.restart()
    assert probe("https://localhost" if context else "http://localhost", context, path) == 200


def test_a_service_speaks_no_older_tls_than_it_is_told(start: Start) -> None:
    service = start("ess", ListeningType="secure", MinimumTLSVersion="1.3")
    old = trusting(service)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    assert probe(service.base_url, trusting(service)) == 200
    with pytest.raises(httpx.ConnectError):
        probe(service.base_url, old)


@pytest.mark.parametrize("asked", ["optional", "required"])
def test_an_edge_takes_certificates_of_its_authority_only(start: Start, directory: Path, asked: str) -> None:
    authority = new_authority(datetime.now(UTC))
    (directory / "clients.pem").write_text(authority.certificate)
    service = start(
        "ess", ListeningType="both", ClientCertificates=asked, ClientCACertificate=directory / "clients.pem"
    )
    url = f"https://{HOST}:{service.settings['SecureListeningPort']}"

    assert probe(url, trusting(service, client_identity(authority, directory / "client.pem"))) == 200
    with pytest.raises(httpx.TransportError):
        probe(url, trusting(service, client_identity(new_authority(datetime.now(UTC)), directory / "other.pem")))
    if asked == "optional":
        assert probe(url, trusting(service)) == 200
    else:
        with pytest.raises(httpx.TransportError):
            probe(url, trusting(service))


def test_a_certificate_that_was_replaced_is_shown_without_a_restart(start: Start) -> None:
    service = start("css", ListeningType="secure")
    before, process = shown_certificate(service), service.process_id
    replace_pair(service, datetime.now(UTC))

    os.kill(process, SIGHUP)

    wait_until(lambda: shown_certificate(service) != before)
    assert probe(service.base_url, trusting(service)) == 200
    assert service.process_id == process


def test_a_broken_certificate_is_reported_and_the_one_in_use_stays(start: Start) -> None:
    service = start("css", ListeningType="secure")
    before, context = shown_certificate(service), trusting(service)
    pair_of(service).certificate.write_text("nonsense")

    os.kill(service.process_id, SIGHUP)

    wait_until(lambda: "certificate_not_usable" in service.end_of_log())
    assert shown_certificate(service) == before
    assert probe(service.base_url, context) == 200


def test_an_edge_renews_the_certificate_it_made_before_that_ends(start: Start) -> None:
    service = start("ess", ListeningType="secure", ServerCertificateNames="edge-17.example.com, 192.0.2.17")
    replace_pair(service, datetime.now(UTC) - VALIDITY + timedelta(days=5))
    before = pair_of(service).certificate.read_text()

    os.kill(service.process_id, SIGHUP)

    wait_until(lambda: "certificate_loaded" in service.end_of_log())
    assert pair_of(service).certificate.read_text() not in (before, "")
    assert shown_certificate(service) == pair_of(service).certificate.read_text()
    with httpx.Client(transport=httpx.HTTPTransport(verify=trusting(service))) as client:
        answer = client.get(f"{service.base_url}/readyz", extensions={"sni_hostname": "edge-17.example.com"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"ListeningType": "unsecure", "ClientCertificates": "required"}, "needs TLS"),
        ({"ListeningType": "secure", "ClientCertificates": "optional"}, "ClientCACertificate (not set): is required"),
        ({"ListeningType": "secure", "MinimumTLSVersion": "1.1"}, "1.2 or 1.3"),
    ],
)
def test_settings_that_do_not_fit_are_refused(start: Start, settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ServiceFailed) as failure:
        start("ess", **settings)

    assert complaint in str(failure.value)


def replace_pair(service: Service, now: datetime) -> None:
    made = self_signed(["localhost", HOST], now)
    pair = pair_of(service)
    pair.certificate.write_text(made.document)
    pair.key.write_text(made.key)


def client_identity(authority: Authority, path: Path) -> Path:
    """A certificate that the authority has signed, and its key, in one file."""
    made = certificate_request("client")
    node = NodeKey("acme", "camera", "c1")
    issued = certificate_authority.issue(
        authority, certificate_authority.read_request(made.document), node, SystemClock().now_ms(), 60_000
    )
    path.write_text(made.key + issued.pem)
    return path
