"""Somebody without credentials, or with those that documentation shows: there is nothing for him but signs of life."""

from __future__ import annotations

import base64
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.access_matrix import Row, rows
from tests.support.service_process import HOST, Service, free_port

ROOT = Path(__file__).resolve().parents[2]
_FOR_EVERYBODY = ("/livez", "/readyz")
_SECRET_OF_THE_EDGE = "hunter2hunter2"


@dataclass
class Installed:
    """A service as it is after its first start, with what it printed."""

    service: Service
    is_cloud: bool

    @property
    def log(self) -> str:
        return self.service.log_path.read_text(errors="replace")

    @property
    def administrator_secret(self) -> str:
        found = re.search(r"app secret: (\S+)", self.log)
        assert found is not None, self.log
        return found[1]


@pytest.fixture(scope="module", params=["css", "ess"])
def installed(request: pytest.FixtureRequest) -> Iterator[Installed]:
    """With nothing in its configuration but where it is."""
    settings = {
        "NodeType": request.param.upper(),
        "ListeningAddress": HOST,
        "ListeningType": "unsecure",
        "UnsecureListeningPort": free_port(),
        "LogLevel": "DEBUG",
    }
    if request.param == "ess":
        settings |= {
            "OrgID": "o",
            "DestinationType": "edge",
            "DestinationID": "n1",
            "HTTPCSSHost": HOST,
            "HTTPCSSPort": free_port(),
            "CSSAppSecret": _SECRET_OF_THE_EDGE,
        }
    with tempfile.TemporaryDirectory(prefix="edgesync-") as directory:
        service = Service(request.param, request.param, Path(directory), settings)
        try:
            service.start()
            yield Installed(service, request.param == "css")
        finally:
            service.kill()


def documented_credentials() -> list[tuple[str, str]]:
    """Keys and secrets that anybody can read, those of the reference's examples among them."""
    found = set()
    for path in [ROOT / "README.md", ROOT / "sync.conf.example", *(ROOT / "docs").rglob("*.md")]:
        found |= set(re.findall(r"""-u ["']?([^\s"'$:]+):([^\s"'$]+)""", path.read_text()))
    guesses = [
        "admin:admin",
        "admin:",
        "admin:password",
        "root:root",
        "ann@o:x",
        "o/edge/n1:",
        "o/ann:",
        "user@myorg:",
        "{myorg}:",
    ]
    return sorted(found | {(key, secret) for key, _, secret in (guess.partition(":") for guess in guesses)})


def addresses(installed: Installed) -> Iterator[tuple[str, str]]:
    """Method and path of everything there is."""
    for row in rows():
        if row.is_cloud is installed.is_cloud and not row.path.startswith(_FOR_EVERYBODY):
            yield row.method, filled(row)
    yield "GET", "/docs/errors"
    yield "GET", "/metrics"
    yield "GET", "/"


def filled(row: Row) -> str:
    return re.sub(r"\{(up)?instance\}", "1", row.target).replace("{", "").replace("}", "")


def test_a_stranger_is_refused_everywhere(installed: Installed) -> None:
    headers = {"x-sync-service-dest": "o/edge/n1"}
    with httpx.Client(base_url=installed.service.base_url, headers=headers) as http:
        for path in _FOR_EVERYBODY:
            assert http.get(path).status_code == 200
        for credentials in [None, *documented_credentials()]:
            for method, path in (
                addresses(installed) if credentials is None else [("GET", "/api/v1/health"), ("GET", "/openapi.json")]
            ):
                body = (
                    b'{"meta": {"objectID": "m1", "objectType": "t"}}' if method in ("PUT", "POST", "PATCH") else None
                )
                reply = http.request(method, path, content=body, auth=credentials)
                assert reply.status_code in (400, 401, 403, 404, 405, 429), (method, path, credentials, reply.text)
                # Nothing but which form of address is wrong, or that there is none.
                assert len(reply.content) < 200, reply.text


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_no_header_is_a_way_in(installed: Installed, scheme: str) -> None:
    tokens = ["", "x", "e30.e30.", base64.b64encode(b"admin:admin").decode(), "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ."]
    with httpx.Client(base_url=installed.service.base_url) as http:
        for token in tokens:
            for extra in ({}, {"x-forwarded-user": "admin", "x-real-ip": "127.0.0.1", "forwarded": "for=127.0.0.1"}):
                reply = http.get("/api/v1/health", headers={"authorization": f"{scheme} {token}".strip(), **extra})
                assert (reply.status_code, reply.content) in ((403, b"Unauthorized"), (429, reply.content))


def test_no_secret_is_in_the_log(installed: Installed) -> None:
    """But for the administrator's, which is shown once, to whoever starts the service for the first time."""
    secret = installed.administrator_secret
    key = re.search(r"app key: +(\S+)", installed.log)
    assert key is not None
    with httpx.Client(base_url=installed.service.base_url, auth=(key[1], secret)) as http:
        assert http.get("/api/v1/health").status_code == 200
        http.put("/api/v1/objects/o/t/m1", content=b"{{{")
        http.get("/api/v1/objects/o/t/m1", headers={"accept": "application/problem+json"})
        http.get("/api/v1/health", auth=(key[1], secret + "x"))
        http.get("/api/v1/health", headers={"authorization": f"Bearer {secret}.{secret}.{secret}"})

    assert installed.log.count(secret) == 1
    for hidden in (
        base64.b64encode(f"{key[1]}:{secret}".encode()).decode(),
        _SECRET_OF_THE_EDGE,
        "Authorization",
        "BEGIN PRIVATE KEY",
    ):
        assert hidden not in installed.log
    for path in installed.service.state_directory.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
