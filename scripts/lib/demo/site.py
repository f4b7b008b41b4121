"""One cloud and three edges on this machine: two nodes of one type, one of another."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from scripts.lib.demo.api import Api
from scripts.lib.demo.failure import DemoFailed
from scripts.lib.demo.service import Credentials, Service

ORGANIZATION = "demo"
HOST = "127.0.0.1"

CAMERAS = "camera"
_NODES = ((CAMERAS, "cam-1"), (CAMERAS, "cam-2"), ("gateway", "gw-1"))


@dataclass(frozen=True)
class Cloud:
    """The CSS and the account of an administrator of the organization."""

    service: Service
    url: str
    admin: Credentials

    def api(self) -> Api:
        return Api(self.url, self.admin, organization=ORGANIZATION)


@dataclass(frozen=True)
class Edge:
    """An ESS and the account of the applications beside it."""

    service: Service
    type: str
    id: str
    url: str
    application: Credentials

    @property
    def destination(self) -> str:
        return f"{self.type}:{self.id}"

    @property
    def certificate(self) -> Path:
        """Made by the service itself; whoever trusts this file trusts the service."""
        return self.service.directory / "sync" / "certs" / "cert.pem"

    def api(self) -> Api:
        return Api(self.url, self.application, ca=self.certificate)


@dataclass(frozen=True)
class Site:
    cloud: Cloud
    edges: tuple[Edge, ...]

    @property
    def services(self) -> list[Service]:
        return [self.cloud.service, *(edge.service for edge in self.edges)]

    def start(self) -> None:
        """Start all, the cloud first. Raises DemoFailed."""
        for service in self.services:
            service.start()
        for service in self.services:
            service.wait_until_serving()

    def check_alive(self) -> None:
        """Raises DemoFailed when one has ended by itself."""
        for service in self.services:
            service.check_alive()

    def stop(self) -> None:
        """Stop all, also those that did not come up. Raises DemoFailed when one did not stop in good order."""
        statuses: dict[Service, int] = {}
        for group in (self.services[1:], self.services[:1]):
            for service in group:
                service.ask_to_stop()
            statuses |= {service: service.wait_until_stopped() for service in group}
        for service, status in statuses.items():
            if status != 0:
                raise DemoFailed(f"{service.name} stopped with exit status {status}", service.log_path)


def prepare_site(directory: Path) -> Site:
    """Write configurations and add accounts; nothing runs yet. Raises DemoFailed."""
    cloud_port, *edge_ports = _free_ports(1 + len(_NODES))
    service = Service("css", "cloud", directory / "cloud")
    service.configure(
        {"NodeType": "CSS", "ListeningAddress": HOST, "UnsecureListeningPort": cloud_port, "LogFormat": "json"}
    )
    admin = service.add_account("admin", "admin", ORGANIZATION)
    cloud = Cloud(service, f"http://{HOST}:{cloud_port}", admin)
    node_keys = [
        service.add_account(f"{ORGANIZATION}/{node_type}/{node_id}", "edgenode", ORGANIZATION, f"{node_type}/{node_id}")
        for node_type, node_id in _NODES
    ]
    with ThreadPoolExecutor(len(_NODES)) as pool:
        return Site(
            cloud,
            tuple(pool.map(lambda each: _prepare_edge(directory, cloud_port, *each), _plans(edge_ports, node_keys))),
        )


def _plans(ports: list[int], node_keys: list[Credentials]) -> Iterator[tuple[str, str, int, Credentials]]:
    for (node_type, node_id), port, node_key in zip(_NODES, ports, node_keys, strict=True):
        yield node_type, node_id, port, node_key


def _prepare_edge(
    directory: Path, cloud_port: int, node_type: str, node_id: str, port: int, node_key: Credentials
) -> Edge:
    service = Service("ess", node_id, directory / node_id)
    service.configure(
        {
            "NodeType": "ESS",
            "OrgID": ORGANIZATION,
            "DestinationType": node_type,
            "DestinationID": node_id,
            "ListeningAddress": HOST,
            "SecureListeningPort": port,
            "HTTPCSSHost": HOST,
            "HTTPCSSPort": cloud_port,
            "CSSAppKey": node_key.app_key,
            "CSSAppSecret": node_key.secret,
            "LogFormat": "json",
        }
    )
    application = service.add_account(f"app-{node_id}", "user", ORGANIZATION)
    return Edge(service, node_type, node_id, f"https://{HOST}:{port}", application)


def _free_ports(count: int) -> list[int]:
    """Held together, so that they differ, and let go for the services to take."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]
