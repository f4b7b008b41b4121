"""Nodes with certificates: from the token to the end, over real TLS between real processes."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.runtime.key_making import certificate_request, self_signed
from tests.support.apps import wait_until
from tests.support.deployment import ORG
from tests.support.enrolled import CAMERA, CertifyingCloud, EnrollingEdge, as_node, enrol
from tests.support.servers import PostgresServer
from tests.support.skewed_clock import has_compiler, skewed_environment

SPI_POLL = "/spi/v1/objects/"


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="edgesync-") as name:
        yield Path(name)


@pytest.fixture
def start(directory: Path) -> Iterator[Callable[..., Any]]:
    """Starts a service; all of them end with the test."""
    with ExitStack() as running:

        def start_one(service: Any) -> Any:
            running.callback(lambda: print(f"===== {service.name}\n{service.end_of_log()}"))  # noqa: T201
            running.callback(service.kill)
            service.start()
            return service

        yield start_one


@pytest.fixture
def cloud(directory: Path, start: Callable[..., Any]) -> CertifyingCloud:
    started: CertifyingCloud = start(CertifyingCloud(directory / "css"))
    return started


def request_of(name: str = "n") -> dict[str, str]:
    return {"request": certificate_request(name).document}


def test_a_node_enrols_with_its_token_and_gets_objects_over_mutual_tls(
    cloud: CertifyingCloud, directory: Path, start: Callable[..., Any]
) -> None:
    edge = start(EnrollingEdge(directory / "ess", cloud, cloud.token()))

    with cloud.publisher() as publisher, edge.app() as application:
        publisher.put("model", "m1", b"by certificate", destinationType="camera", destinationID="c1")
        wait_until(lambda: application.updated("model"))
        assert application.data("model", "m1") == b"by certificate"
        application.put("report", "r1", b"upwards")
        wait_until(lambda: publisher.get("report", "r1"))

    assert [(each["nodeType"], each["nodeID"], each["state"]) for each in cloud.certificates()] == [(*CAMERA, "good")]
    assert edge.identity.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in edge.identity.parent.iterdir()] == ["identity.pem"]


def test_the_token_is_not_needed_any_more_after_that(
    cloud: CertifyingCloud, directory: Path, start: Callable[..., Any]
) -> None:
    edge = start(EnrollingEdge(directory / "ess", cloud, cloud.token()))
    wait_until(lambda: "link_up" in edge.end_of_log())
    edge.kill()
    del edge.settings["EnrolmentToken"]
    edge.log_path.unlink()

    edge.start()

    wait_until(lambda: "link_up" in edge.end_of_log())
    assert len(cloud.certificates()) == 1


def test_a_token_works_once_and_for_one_node(cloud: CertifyingCloud, directory: Path) -> None:
    token, brief = cloud.token(), cloud.token(("camera", "brief"), expiresInSeconds=1)
    enrol(cloud, directory, token)
    time.sleep(1.1)

    with cloud.client() as client:
        refused = [
            client.put("/spi/v1/enrol", json={"token": text, **request_of()})
            for text in (token, brief, token[:-1] + "x", "enrol1.x.y", "", "enrol1." + "y" * 10_000)
        ]
        foreign = client.put(
            "/spi/v1/enrol", json={"token": cloud.token(), **request_of()}, headers=as_node(("camera", "c2"))
        )
    assert [(each.status_code, each.text) for each in (*refused, foreign)] == [(403, "Unauthorized")] * 7


def test_a_repeated_enrolment_gets_what_the_first_one_got(cloud: CertifyingCloud) -> None:
    body = {"token": cloud.token(), **request_of()}
    with cloud.client() as client:
        answers = [client.put("/spi/v1/enrol", json=body).raise_for_status().json() for _ in range(2)]

    assert answers[0] == answers[1]
    assert len(cloud.certificates()) == 1


def test_the_request_says_nothing_about_whose_certificate_it_becomes(cloud: CertifyingCloud, directory: Path) -> None:
    identity = enrol(cloud, directory, cloud.token())

    with cloud.client(identity) as node:
        assert node.put("/spi/v1/register-new/x", headers=as_node()).status_code == 204
        for other in (("camera", "c2"), ("gate", "c1")):
            assert node.get(SPI_POLL, headers=as_node(other)).status_code == 403
        assert node.get(SPI_POLL, headers={"X-Sync-Service-Dest": "other/camera/c1"}).status_code == 403
        # Nodes have no business in the applications' interface.
        assert node.get(f"/api/v1/objects/{ORG}/model").status_code == 403


def test_a_node_renews_its_certificate_at_half_of_its_time(directory: Path, start: Callable[..., Any]) -> None:
    cloud = start(CertifyingCloud(directory / "css", NodeCertificateLifetime=8, NodeCertificateGrace=0))
    edge = start(EnrollingEdge(directory / "ess", cloud, cloud.token()))
    wait_until(edge.identity.exists)
    first = edge.identity.read_bytes()

    wait_until(lambda: edge.identity.read_bytes() != first)
    second = edge.identity.read_bytes()
    wait_until(lambda: edge.identity.read_bytes() != second)

    # With no grace at all a single late renewal would have ended the link.
    assert edge.end_of_log().count("link_up") == 1
    assert "link_down" not in edge.end_of_log()


def test_a_renewal_that_comes_too_early_is_refused(cloud: CertifyingCloud, directory: Path) -> None:
    with cloud.client(enrol(cloud, directory, cloud.token())) as node:
        assert node.put("/spi/v1/renew", json=request_of()).status_code == 409
    with cloud.client() as stranger:
        assert stranger.put("/spi/v1/renew", json=request_of()).status_code == 403


def test_a_revoked_node_is_refused_within_a_second_also_where_it_waits(
    directory: Path, start: Callable[..., Any]
) -> None:
    cloud = start(CertifyingCloud(directory / "css", HTTPPollWait=60))
    identity = enrol(cloud, directory, cloud.token())
    spare = cloud.token()
    ended: list[tuple[int, float]] = []
    with cloud.client(identity) as node, cloud.client(identity) as waiting:
        node.put("/spi/v1/register-new/x", headers=as_node()).raise_for_status()

        def wait_for_objects() -> None:
            answer = waiting.get(SPI_POLL, headers={**as_node(), "prefer": "wait=50"})
            ended.append((answer.status_code, time.monotonic()))

        poll = threading.Thread(target=wait_for_objects)
        poll.start()
        time.sleep(0.5)
        assert not ended

        revoked_at = time.monotonic()
        cloud.revoke()
        poll.join(20)

        assert [status for status, _ in ended] == [403]
        assert ended[0][1] - revoked_at < 5
        # The same connection, and a new one.
        assert node.get(SPI_POLL, headers=as_node()).status_code == 403
        with cloud.client(identity) as again:
            assert again.get(SPI_POLL, headers=as_node()).status_code == 403
            assert again.put("/spi/v1/renew", json=request_of()).status_code == 403
            assert again.put("/spi/v1/enrol", json={"token": spare, **request_of()}).status_code == 403
    assert [each["state"] for each in cloud.certificates()] == ["revoked"]


def test_a_revoked_node_comes_back_with_a_new_token(
    cloud: CertifyingCloud, directory: Path, start: Callable[..., Any]
) -> None:
    edge = start(EnrollingEdge(directory / "ess", cloud, cloud.token()))
    wait_until(lambda: "link_up" in edge.end_of_log())
    cloud.revoke()
    wait_until(lambda: "certificate_refused" in edge.end_of_log(50_000))
    edge.kill()
    edge.log_path.unlink()

    edge.settings["EnrolmentToken"] = cloud.token()
    edge.start()

    wait_until(lambda: "link_up" in edge.end_of_log())
    assert sorted(each["state"] for each in cloud.certificates()) == ["good", "revoked"]


def test_a_node_that_was_away_past_the_end_of_its_certificate_comes_back_with_everything(
    directory: Path, start: Callable[..., Any]
) -> None:
    cloud = start(CertifyingCloud(directory / "css", NodeCertificateLifetime=4, NodeCertificateGrace=600))
    edge = start(EnrollingEdge(directory / "ess", cloud, cloud.token()))
    with cloud.publisher() as publisher:
        publisher.put("model", "m1", b"before", destinationType="camera", destinationID="c1")
        with edge.app() as application:
            wait_until(lambda: application.updated("model"))
            application.put("report", "r1", b"unsent")
        edge.kill()
        publisher.put("model", "m2", b"while it was away", destinationType="camera", destinationID="c1")
        wait_until(lambda: all(each["state"] == "expired" for each in cloud.certificates()))

        edge.start()

        with edge.app() as application:
            wait_until(lambda: len(application.updated("model")) == 2)
            assert application.data("model", "m1") == b"before"
        wait_until(lambda: publisher.get("report", "r1"))


def test_an_expired_certificate_is_good_for_its_renewal_only_and_not_for_ever(
    directory: Path, start: Callable[..., Any]
) -> None:
    cloud = start(CertifyingCloud(directory / "css", NodeCertificateLifetime=2, NodeCertificateGrace=3))
    identity = enrol(cloud, directory, cloud.token())
    with cloud.client(identity) as node:
        node.put("/spi/v1/register-new/x", headers=as_node()).raise_for_status()
        time.sleep(2.2)
        assert node.get(SPI_POLL, headers=as_node()).status_code == 403
        assert node.put("/spi/v1/renew", json=request_of()).status_code == 200
        time.sleep(3)
        assert node.put("/spi/v1/renew", json=request_of()).status_code == 403


def test_with_required_certificates_a_stranger_reaches_nothing_but_enrolment_and_probes(
    directory: Path, start: Callable[..., Any]
) -> None:
    cloud = start(CertifyingCloud(directory / "css"))
    token = cloud.token()
    cloud.kill()
    cloud.settings["ClientCertificates"] = "required"
    cloud.start()
    with cloud.client(auth=cloud.credentials) as admin:
        for path in (f"/api/v1/objects/{ORG}/model", "/api/v1/health", SPI_POLL, "/docs", "/nowhere"):
            assert admin.get(path).status_code == 403, path
        assert [admin.get(path).status_code for path in ("/livez", "/readyz")] == [200, 200]

    identity = enrol(cloud, directory, token)
    with cloud.client(identity) as node:
        assert node.put("/spi/v1/register-new/x", headers=as_node()).status_code == 204
    # The door is open for whoever shows a certificate; who he is may be told by a key as well.
    with cloud.client(identity, auth=cloud.credentials) as admin:
        assert admin.get("/api/v1/health").status_code == 200


def test_a_certificate_of_somebody_else_does_not_pass_the_handshake(cloud: CertifyingCloud, directory: Path) -> None:
    made = self_signed(["localhost"], datetime.now(UTC))
    forged = directory / "forged.pem"
    forged.write_text(made.key + made.document)

    with cloud.client(forged) as stranger, pytest.raises(httpx.TransportError):
        stranger.get("/livez")


@pytest.mark.skipif(not has_compiler(), reason="needs a C compiler")
@pytest.mark.parametrize("begins", ["enrolled", "new"])
def test_a_node_whose_clock_says_1970_comes_back_and_loses_nothing(
    directory: Path, start: Callable[..., Any], begins: str
) -> None:
    cloud = start(CertifyingCloud(directory / "css", NodeCertificateLifetime=4, NodeCertificateGrace=600))
    edge = EnrollingEdge(directory / "ess", cloud, cloud.token())
    kept = "in-1970" if begins == "new" else "before"
    if begins == "enrolled":
        start(edge)
        with edge.app() as application:
            application.put("report", kept, b"unsent or sent")
        wait_until(edge.identity.exists)
        edge.kill()
        wait_until(lambda: all(each["state"] == "expired" for each in cloud.certificates()))
    edge.variables = skewed_environment(directory, at_seconds=1000)
    edge.log_path.unlink(missing_ok=True)

    start(edge)

    with edge.app() as application, cloud.publisher() as publisher:
        if begins == "new":
            application.put("report", kept, b"sent")
        publisher.put("model", "m1", b"for a node of the past", destinationType="camera", destinationID="c1")
        wait_until(lambda: application.updated("model"))
        wait_until(lambda: publisher.get("report", kept))
        assert application.get("report", kept) is not None
    log = edge.end_of_log(50_000)
    assert "1970-01-01T" in log
    assert "clock_is_wrong" in log


@pytest.mark.postgres
def test_a_revoked_node_is_refused_by_every_replica(
    directory: Path, start: Callable[..., Any], postgres_server: PostgresServer
) -> None:
    with postgres_server.database() as url:
        first = start(CertifyingCloud(directory / "css1", url))
        second = start(CertifyingCloud(directory / "css2", url))
        identity = enrol(first, directory, second.token())
        with second.client(identity) as node:
            assert node.put("/spi/v1/register-new/x", headers=as_node()).status_code == 204

            first.revoke()

            wait_until(lambda: node.get(SPI_POLL, headers=as_node()).status_code == 403, timeout_seconds=5)
            assert node.put("/spi/v1/renew", json=request_of()).status_code == 403
        first.kill()
        second.kill()
