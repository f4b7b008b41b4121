"""The cloud and two edges that golden transcripts are played against, as tests/golden/FORMAT.md wants them set up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.service_process import HOST, Service, free_port

ORG = "golden"
_LISTS = {"regularUsers": ["writer", "reader", "plain"], "syncAdmins": ["root"], "exchangeAdmins": []}
_COMMON = {
    "AuthenticationHandler": "dummy",
    "ListeningType": "unsecure",
    "ListeningAddress": HOST,
    "LogFormat": "plain",
}


@dataclass(frozen=True)
class Trio:
    css: Service
    ess: Service
    ess2: Service


@contextmanager
def running_trio(directory: Path, database_url: str | None) -> Iterator[Trio]:
    """Started, and killed in the end. The cloud uses SQLite without `database_url`."""
    cloud = {
        "NodeType": "CSS",
        **_COMMON,
        "UnsecureListeningPort": free_port(),
        "WebhookAllowedNetworks": "127.0.0.0/8",
    }
    css = Service("css", "css", directory / "css", cloud)
    if database_url is not None:
        css.settings |= {"StorageProvider": "postgres", "DatabaseURL": database_url}
    trio = Trio(css, _edge(css, "n1", directory), _edge(css, "n2", directory))
    services = (trio.css, trio.ess, trio.ess2)
    try:
        for service in services:
            _write_lists(service)
            service.start()
        yield trio
    finally:
        for service in services:
            service.kill()
            print(f"===== {service.name}\n{service.end_of_log()}")  # noqa: T201 - shown under a test that failed


def _edge(css: Service, node_id: str, directory: Path) -> Service:
    settings = {
        "NodeType": "ESS",
        **_COMMON,
        "UnsecureListeningPort": free_port(),
        "OrgID": ORG,
        "DestinationType": "edge",
        "DestinationID": node_id,
        "HTTPCSSHost": HOST,
        "HTTPCSSPort": css.settings["UnsecureListeningPort"],
        "HTTPPollingInterval": 1,
    }
    return Service("ess", node_id, directory / node_id, settings)


def _write_lists(service: Service) -> None:
    path = service.state_directory / "sync" / "dummy-auth.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(_LISTS))
