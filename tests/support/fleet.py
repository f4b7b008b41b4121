"""The deployment that most end-to-end tests share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.apps import Application
from tests.support.deployment import Deployment, Edge, deployment


@dataclass(frozen=True)
class Fleet:
    """Two cameras and a gateway, each listening in another way, and an application beside every service."""

    deployed: Deployment
    publisher: Application
    #: By id of the node: `c1` over HTTPS, `c2` through a Unix socket, `g1` over plain HTTP.
    apps: dict[str, Application]

    def edge(self, node_id: str) -> Edge:
        return next(edge for edge in self.deployed.edges if edge.node_id == node_id)


@contextmanager
def running_fleet(directory: Path, database_url: str | None) -> Iterator[Fleet]:
    """A fleet that ends with the context. `directory` has to be short enough for the path of a Unix socket."""
    with ExitStack() as resources:
        deployed = resources.enter_context(deployment(directory, database_url))
        edges = [deployed.edge("camera", "c1"), deployed.edge("camera", "c2"), deployed.edge("gateway", "g1")]
        edges[0].listen_with_tls()
        edges[1].listen_on_unix_socket()
        deployed.start()
        apps = {edge.node_id: resources.enter_context(edge.app()) for edge in edges}
        yield Fleet(deployed, resources.enter_context(deployed.cloud.app()), apps)
