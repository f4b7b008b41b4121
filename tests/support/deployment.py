"""A cloud and its edges as real processes on loopback, in one temporary directory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.apps import Application
from tests.support.service_process import HOST, Service, free_port

ORG = "acme"
_SECRET = "not-a-secret"
_PUBLISHER = "publisher"
_EDGE_APP = "edge-app"

_ROLES = {"ListeningAddress": HOST, "AuthenticationHandler": "preset", "LogFormat": "plain"}


class Cloud(Service):
    """A CSS with the accounts of its publisher and of every node there may be."""

    def __init__(self, directory: Path, database_url: str | None = None) -> None:
        super().__init__(
            "css",
            "css",
            directory,
            {
                "NodeType": "CSS",
                **_ROLES,
                "ListeningType": "unsecure",
                "UnsecureListeningPort": free_port(),
                # Short, so that what a lost wake-up costs shows in seconds and not in minutes.
                "HTTPPollWait": 10,
            },
        )
        if database_url is not None:
            self.settings |= {"StorageProvider": "postgres", "DatabaseURL": database_url}
        self._nodes: set[tuple[str, str]] = set()
        self._write_accounts()

    def know(self, node_type: str, node_id: str) -> None:
        """Give a node an account; counts from the next start."""
        self._nodes.add((node_type, node_id))
        self._write_accounts()

    @property
    def port(self) -> int:
        return int(str(self.settings["UnsecureListeningPort"]))

    @property
    def credentials(self) -> tuple[str, str]:
        """Of an organization's administrator."""
        return (_PUBLISHER, _SECRET)

    def app(self, *, via_port: int | None = None) -> Application:
        """A client with the rights of an organization's administrator, directly or through a proxy."""
        url = f"http://{HOST}:{via_port or self.port}/api/v1/objects/{ORG}"
        return Application(url, self.credentials, self.transport())

    def wipe(self) -> None:
        """Forget everything but the accounts, as a new disk would; on SQLite only."""
        self.kill()
        shutil.rmtree(self.state_directory)
        self._write_accounts()

    def _write_accounts(self) -> None:
        admin = {"type": "admin", "orgID": ORG, "username": _PUBLISHER, "secret": _SECRET}
        nodes = {
            f"{ORG}/{node_type}/{node_id}": {
                "type": "edgenode",
                "orgID": ORG,
                "username": f"{node_type}/{node_id}",
                "secret": _SECRET,
            }
            for node_type, node_id in self._nodes
        }
        write_preset(self.state_directory, {"credentials": {_PUBLISHER: admin, **nodes}})


class Edge(Service):
    """An ESS with the account of its application, and that of the node on the CSS."""

    def __init__(self, directory: Path, node_type: str, node_id: str, cloud_port: int) -> None:
        super().__init__(
            "ess",
            f"ess-{node_id}",
            directory,
            {
                "NodeType": "ESS",
                **_ROLES,
                "OrgID": ORG,
                "DestinationType": node_type,
                "DestinationID": node_id,
                "ListeningType": "unsecure",
                "UnsecureListeningPort": free_port(),
                "HTTPCSSHost": HOST,
                "HTTPCSSPort": cloud_port,
            },
        )
        self.node_type = node_type
        self.node_id = node_id
        self._write_accounts()

    @property
    def destination(self) -> str:
        """`type:id`, as an object's list of destinations names it."""
        return f"{self.node_type}:{self.node_id}"

    def app(self) -> Application:
        """A client with the rights of a local application."""
        return Application(f"{self.base_url}/api/v1/objects", (_EDGE_APP, _SECRET), self.transport())

    def listen_with_tls(self) -> None:
        self.settings |= {"ListeningType": "secure", "SecureListeningPort": free_port()}

    def listen_on_unix_socket(self) -> None:
        self.settings |= {"ListeningType": "unix", "ListeningAddress": "sync/ess.sock"}

    def wipe(self) -> None:
        """Forget everything but the accounts, as a new disk would."""
        self.kill()
        shutil.rmtree(self.state_directory)
        self._write_accounts()

    def _write_accounts(self) -> None:
        write_preset(
            self.state_directory,
            {
                "credentials": {
                    _EDGE_APP: {"type": "user", "orgID": ORG, "username": _EDGE_APP, "secret": _SECRET},
                },
                "cssCredentials": {"key": f"{ORG}/{self.node_type}/{self.node_id}", "secret": _SECRET},
            },
        )


class Deployment:
    """Services under one directory; none of them outlives it."""

    def __init__(self, directory: Path, database_url: str | None = None) -> None:
        self._directory = directory
        self.cloud = Cloud(directory / "css", database_url)
        self.edges: list[Edge] = []

    def edge(self, node_type: str, node_id: str, *, via_port: int | None = None) -> Edge:
        """A new node, not started yet. It reaches the CSS through `via_port` when that is given."""
        directory = self._directory / f"ess-{node_type}-{node_id}"
        edge = Edge(directory, node_type, node_id, via_port or self.cloud.port)
        self.cloud.know(node_type, node_id)
        self.edges.append(edge)
        return edge

    def start(self) -> None:
        """Start what is not running, the CSS first. Raises ServiceFailed."""
        for service in (self.cloud, *self.edges):
            if not service.is_running:
                service.start()

    def close(self) -> None:
        """Kill what runs, and print how each log ends: pytest shows that under a test that failed."""
        for service in (self.cloud, *self.edges):
            service.kill()
            print(f"===== {service.name}\n{service.end_of_log()}")  # noqa: T201


@contextmanager
def deployment(directory: Path, database_url: str | None = None) -> Iterator[Deployment]:
    """A deployment whose processes end with the context. The CSS uses SQLite without `database_url`."""
    deployed = Deployment(directory, database_url)
    try:
        yield deployed
    finally:
        deployed.close()


def write_preset(state_directory: Path, content: object) -> None:
    """The reference's file of fixed credentials."""
    path = state_directory / "sync" / "preset-auth.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_text(json.dumps(content))
