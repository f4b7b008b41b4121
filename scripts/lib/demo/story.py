"""What the demo shows, in the order in which it happens."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from scripts.lib.demo.api import Api, ObjectName
from scripts.lib.demo.app import App, Content
from scripts.lib.demo.failure import DemoFailed
from scripts.lib.demo.payload import Payload
from scripts.lib.demo.screen import Board, bar, megabytes, say, table
from scripts.lib.demo.service import Service
from scripts.lib.demo.site import CAMERAS, Edge, Site

SETTINGS = ObjectName("settings", "site")
_SETTINGS_DATA = json.dumps({"interval_seconds": 5, "quality": "high"}, indent=2).encode()
_SNAPSHOT_BYTES = 1 << 20

_CLOUD_APP = "cloud"
_REGISTRATION_SECONDS = 60.0
_POLL_SECONDS = 0.05

#: A transfer may take this long, and a second more for every so many bytes.
_PATIENCE_SECONDS = 60.0
_SLOWEST_BYTES_PER_SECOND = 1_000_000


@dataclass(frozen=True)
class Row:
    """One line of the result: an object at a node."""

    node: str
    object: str
    status: str
    size_bytes: int | None = None
    milliseconds: float | None = None

    def cells(self) -> list[str]:
        size = "-" if self.size_bytes is None else f"{self.size_bytes:,}"
        duration = "-" if self.milliseconds is None else f"{self.milliseconds:,.0f}"
        return [self.node, self.object, self.status, size, duration]


class Story:
    """Publishes, lets the applications take everything, and checks what both ends say afterwards."""

    def __init__(self, site: Site, payload: Payload) -> None:
        self._site = site
        self._payload = payload
        self._model = ObjectName("model", payload.object_id)
        self._contents = {
            self._model: Content(payload.size_bytes, payload.sha256),
            SETTINGS: Content.of(_SETTINGS_DATA),
        }
        self._board = Board([_CLOUD_APP, *(edge.destination for edge in site.edges)])
        self._patience_seconds = _PATIENCE_SECONDS + payload.size_bytes / _SLOWEST_BYTES_PER_SECOND
        #: When the request that made an object complete was sent, in seconds of the monotonic clock.
        self._put_at: dict[ObjectName, float] = {}

    @property
    def model(self) -> ObjectName:
        """The object that carries the file."""
        return self._model

    def tell(self) -> None:
        """Raises DemoFailed unless everything turns out as it should."""
        with self._site.cloud.api() as cloud:
            self._wait_for_nodes(cloud)
            apps = {edge: self._app_of(edge) for edge in self._site.edges}
            try:
                for app in apps.values():
                    app.start()
                self._publish(cloud)
                for edge, app in apps.items():
                    self._wait_for_app(app, edge.service)
            finally:
                for app in apps.values():
                    app.leave()
            rows = [row for edge, app in apps.items() for row in self._check_edge(cloud, edge, app)]
        rows.append(self._send_up(self._site.edges[0]))
        say()
        header = ["NODE", "OBJECT", "STATUS", "BYTES", "MS"]
        say(table(header, [row.cells() for row in rows], right_aligned=2))
        say("\n  MS: from sending the request that completed the object until an application had read and verified it.")

    def _is_for(self, name: ObjectName, edge: Edge) -> bool:
        return name != self._model or edge.type == CAMERAS

    def _app_of(self, edge: Edge) -> App:
        wanted = {name: content for name, content in self._contents.items() if self._is_for(name, edge)}
        return App(edge.destination, edge.api, wanted, self._board)

    def _wait_for_nodes(self, cloud: Api) -> None:
        wanted = {edge.destination for edge in self._site.edges}
        deadline = time.monotonic() + _REGISTRATION_SECONDS
        while missing := wanted - cloud.nodes():
            self._site.check_alive()
            if time.monotonic() > deadline:
                late = next(edge for edge in self._site.edges if edge.destination in missing)
                raise DemoFailed(f"{late.destination} did not register with the cloud", late.service.log_path)
            time.sleep(_POLL_SECONDS)

    def _publish(self, cloud: Api) -> None:
        payload = self._payload
        cloud.put_object(self._model, {"destinationType": CAMERAS, "description": "the file of this demo"})
        started_at = time.monotonic()
        for start, piece in payload.pieces():
            self._put_at[self._model] = time.monotonic()
            cloud.put_piece(self._model, piece, start, payload.size_bytes)
            self._board.tick(_CLOUD_APP, f"uploading model {bar(start + len(piece), payload.size_bytes)}")
        seconds = time.monotonic() - started_at
        self._board.step(_CLOUD_APP, f"model uploaded ({megabytes(payload.size_bytes)} in {seconds:.1f} s)")
        self._put_at[SETTINGS] = time.monotonic()
        cloud.put_object(SETTINGS, {"version": "1.0"}, _SETTINGS_DATA)
        self._board.step(_CLOUD_APP, "model and settings published")

    def _check_edge(self, cloud: Api, edge: Edge, app: App) -> list[Row]:
        """What both ends say about this node's objects once its application is done with them."""
        rows = []
        for name, content in self._contents.items():
            if self._is_for(name, edge):
                self._wait_until_consumed(cloud, edge, app, name)
                milliseconds = self._milliseconds(name, app)
                rows.append(Row(edge.destination, str(name), "consumed", content.size_bytes, milliseconds))
            else:
                self._check_absent(cloud, edge, name)
                rows.append(Row(edge.destination, str(name), "not addressed"))
        return rows

    @staticmethod
    def _check_absent(cloud: Api, edge: Edge, name: ObjectName) -> None:
        with edge.api() as api:
            if api.find(name) is not None:
                raise DemoFailed(f"{edge.destination} got {name}, which is for others", edge.service.log_path)
        if edge.destination in cloud.destinations(name):
            raise DemoFailed(f"the cloud lists {edge.destination} as a destination of {name}")

    def _send_up(self, edge: Edge) -> Row:
        """An object of an edge, taken by an application in the cloud."""
        name, data = ObjectName("snapshot", edge.id), os.urandom(_SNAPSHOT_BYTES)
        cloud = self._site.cloud
        app = App(_CLOUD_APP, cloud.api, {name: Content.of(data)}, self._board)
        app.start()
        try:
            with edge.api() as api:
                api.put_object(name, {"description": "sent up by an edge"})
                self._put_at[name] = time.monotonic()
                api.put_piece(name, data, 0, len(data))
                self._board.step(edge.destination, "snapshot sent up")
                self._wait_for_app(app, cloud.service)
                self._wait(
                    lambda: api.status(name) == "consumedByDest",
                    app,
                    edge.service,
                    "hear that its snapshot is consumed",
                )
        finally:
            app.leave()
        return Row(f"cloud, from {edge.destination}", str(name), "consumed", len(data), self._milliseconds(name, app))

    def _milliseconds(self, name: ObjectName, app: App) -> float:
        return (app.verified_at[name] - self._put_at[name]) * 1000

    def _wait_for_app(self, app: App, service: Service) -> None:
        self._wait(lambda: not app.is_alive(), app, service, "take its objects")

    def _wait_until_consumed(self, cloud: Api, edge: Edge, app: App, name: ObjectName) -> None:
        def is_consumed() -> bool:
            return cloud.destinations(name).get(edge.destination) == "consumed"

        self._wait(is_consumed, app, edge.service, f"tell the cloud that {name} is consumed")

    def _wait(self, is_done: Callable[[], bool], app: App, service: Service, what: str) -> None:
        """Raises DemoFailed when it takes too long, the application fails, or a service ends."""
        deadline = time.monotonic() + self._patience_seconds
        while not is_done():
            self._site.check_alive()
            if time.monotonic() > deadline:
                raise DemoFailed(f"{app.name} did not {what} within {self._patience_seconds:.0f} s", service.log_path)
            time.sleep(_POLL_SECONDS)
        if app.failure is not None:
            raise DemoFailed(str(app.failure), service.log_path)
