"""A cloud that knows its nodes by certificates, and nodes with tokens for it, as real processes with real TLS."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from common.runtime.key_making import certificate_request
from common.runtime.tls import CertificateFiles, ensure_server_certificate
from tests.support.apps import Application
from tests.support.deployment import ORG, Cloud, Edge
from tests.support.service_process import HOST, free_port

CAMERA = ("camera", "c1")


class CertifyingCloud(Cloud):
    """A CSS behind TLS; it knows no key and secret of any node."""

    def __init__(self, directory: Path, database_url: str | None = None, **settings: object) -> None:
        super().__init__(directory, database_url)
        self.certificate = server_pair(self.state_directory)
        self.settings |= {
            "ListeningType": "secure",
            "SecureListeningPort": free_port(),
            "ServerCertificate": self.certificate.certificate,
            "ServerKey": self.certificate.key,
            "ClientCertificates": "optional",
            "HTTPPollWait": 1,
            **settings,
        }

    @property
    def port(self) -> int:
        return int(str(self.settings["SecureListeningPort"]))

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    def client(self, identity: Path | None = None, **options: Any) -> httpx.Client:
        """A client that shows the certificate in that file."""
        context = ssl.create_default_context(cafile=str(self.certificate.certificate))
        if identity is not None:
            context.load_cert_chain(identity)
        return httpx.Client(base_url=self.url, verify=context, timeout=30, trust_env=False, **options)

    def publisher(self) -> Application:
        transport = httpx.HTTPTransport(verify=ssl.create_default_context(cafile=str(self.certificate.certificate)))
        return Application(f"{self.url}/api/v1/objects/{ORG}", self.credentials, transport)

    def token(self, node: tuple[str, str] = CAMERA, **members: object) -> str:
        """A new enrolment token."""
        with self.client(auth=self.credentials) as admin:
            answer = admin.post(
                f"/api/v1/enrolments/{ORG}", json={"nodeType": node[0], "nodeID": node[1], **members}
            ).raise_for_status()
        return str(answer.json()["token"])

    def revoke(self, node: tuple[str, str] = CAMERA) -> None:
        with self.client(auth=self.credentials) as admin:
            admin.delete(f"/api/v1/certificates/{ORG}/{node[0]}/{node[1]}").raise_for_status()

    def certificates(self) -> list[dict[str, str]]:
        with self.client(auth=self.credentials) as admin:
            listed: list[dict[str, str]] = admin.get(f"/api/v1/certificates/{ORG}").raise_for_status().json()
        return listed


class EnrollingEdge(Edge):
    """An ESS that has a token and nothing else for its cloud."""

    def __init__(self, directory: Path, cloud: CertifyingCloud, token: str, node: tuple[str, str] = CAMERA) -> None:
        super().__init__(directory, *node, cloud.port)
        self.settings |= {
            "HTTPCSSUseSSL": "true",
            "HTTPCSSCACertificate": cloud.certificate.certificate,
            "HTTPPollingInterval": 1,
            "EnrolmentToken": token,
        }

    @property
    def identity(self) -> Path:
        return self.state_directory / "sync" / "node" / "identity.pem"


def server_pair(state_directory: Path, now: datetime | None = None) -> CertificateFiles:
    """A pair for a server on this machine."""
    return ensure_server_certificate(state_directory / "sync" / "certs", [HOST], now or datetime.now(UTC))


def enrol(cloud: CertifyingCloud, directory: Path, token: str, node: tuple[str, str] = CAMERA) -> Path:
    """What a node does with its token, by hand; the file that holds certificate and key."""
    made = certificate_request("/".join(node))
    with cloud.client() as client:
        answer = client.put("/spi/v1/enrol", json={"token": token, "request": made.document}).raise_for_status()
    identity = directory / f"{'-'.join(node)}.pem"
    identity.write_text(made.key + answer.json()["certificate"])
    return identity


def as_node(node: tuple[str, str] = CAMERA) -> dict[str, str]:
    """The header of a node's requests."""
    return {"X-Sync-Service-Dest": "/".join((ORG, *node))}
