"""What one replica revokes, the others refuse within a second, on what is open too."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.support.event_source import EventSource
from tests.support.service_process import HOST, Service, free_port

pytestmark = pytest.mark.postgres

_ADMIN = ("admin", "chosen-by-the-operator")
#: The promise is one second; a busy machine gets some more.
_SOON_SECONDS = 4.0


@dataclass(frozen=True)
class Replicas:
    one: Service
    other: Service

    def call(
        self, service: Service, method: str, path: str, auth: tuple[str, str] = _ADMIN, **options: Any
    ) -> httpx.Response:
        return httpx.request(method, f"{service.base_url}{path}", auth=auth, timeout=30, **options)

    def account(self, key: str, role: str, identity: str) -> tuple[str, str]:
        body = {"action": "create", "key": key, "role": role, "identity": identity}
        answer = self.call(self.one, "POST", "/api/v1/accounts/acme", json=body)
        assert answer.status_code == 200, answer.text
        return key, answer.json()["secret"]

    def command(self, *arguments: str, stdin: str = "") -> str:
        """`edgesync-css account …` beside the running services."""
        done = subprocess.run(
            [sys.executable, "-m", "css", "-c", str(self.one.config_path), "account", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
            env=self.one._environment(),
            timeout=60,
        )
        return done.stdout


@pytest.fixture
def replicas(postgres_server: Any) -> Iterator[Replicas]:
    with tempfile.TemporaryDirectory(prefix="edgesync-") as directory, postgres_server.database() as url:
        services = [_replica(Path(directory) / name, url) for name in ("one", "other")]
        replicas = Replicas(*services)
        try:
            services[0].start()
            replicas.command("add", _ADMIN[0], "--role", "syncadmin", "--secret-stdin", stdin=_ADMIN[1] + "\n")
            services[1].start()
            yield replicas
        finally:
            for service in services:
                service.kill()
                print(f"===== {service.name}\n{service.end_of_log()}")  # noqa: T201


def _replica(directory: Path, url: str) -> Service:
    settings = {
        "NodeType": "CSS",
        "ListeningType": "unsecure",
        "ListeningAddress": HOST,
        "UnsecureListeningPort": free_port(),
        "StorageProvider": "postgres",
        "DatabaseURL": url,
    }
    return Service("css", directory.name, directory, settings)


def _is_let_in(replicas: Replicas, service: Service, auth: tuple[str, str]) -> bool:
    return replicas.call(service, "GET", "/api/v1/health", auth).status_code == 200


@pytest.mark.parametrize("by", ["interface", "command line"])
def test_a_revoked_account_is_refused_everywhere(replicas: Replicas, by: str) -> None:
    app = replicas.account("acme/app", "user", "ann")
    node = replicas.account("acme/edge/n1", "edgenode", "edge/n1")
    header = {"X-Sync-Service-Dest": "acme/edge/n1"}
    assert replicas.call(replicas.other, "PUT", "/spi/v1/register-new/", node, headers=header).status_code == 204
    assert all(_is_let_in(replicas, each, app) for each in (replicas.one, replicas.other))

    with (
        closing(httpx.Client(timeout=60)) as client,
        EventSource(
            (HOST, int(str(replicas.other.settings["UnsecureListeningPort"]))),
            "/api/v1/objects/acme/t",
            actor=app[0],
            secret=app[1],
        ) as stream,
        _LongPoll(client, replicas.other, node, header) as poll,
    ):
        stream.opened()
        time.sleep(0.5)
        assert not poll.is_over
        revoked_at = time.monotonic()
        for key, _ in (app, node):
            if by == "interface":
                body = {"action": "revoke", "key": key}
                assert replicas.call(replicas.one, "POST", "/api/v1/accounts/acme", json=body).status_code == 200
            else:
                replicas.command("revoke", key)
                revoked_at = time.monotonic()

        assert not _is_let_in(replicas, replicas.one, node) or by == "command line"
        while _is_let_in(replicas, replicas.other, app):
            assert time.monotonic() < revoked_at + _SOON_SECONDS
        stream.wait_for_end()
        assert poll.status() == 403
        assert time.monotonic() < revoked_at + _SOON_SECONDS

    entries = replicas.call(replicas.other, "GET", "/api/v1/audit/acme").json()
    assert [each["target"] for each in entries if each["action"] == "account.revoke"] == ["acme/edge/n1", "acme/app"]
    for service in (replicas.one, replicas.other):
        log = service.log_path.read_text()
        assert not [secret for _, secret in (app, node, _ADMIN) if secret in log]


class _LongPoll:
    """A node's poll in a thread of its own."""

    def __init__(self, client: httpx.Client, service: Service, auth: tuple[str, str], headers: dict[str, str]) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(1)
        self._answer = self._pool.submit(
            client.get, f"{service.base_url}/spi/v1/objects/", auth=auth, headers={**headers, "Prefer": "wait=50"}
        )

    @property
    def is_over(self) -> bool:
        return self._answer.done()

    def status(self) -> int:
        return self._answer.result(_SOON_SECONDS).status_code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False)
