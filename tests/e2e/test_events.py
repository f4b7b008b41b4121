"""Streams over restarts: whoever comes back with the id of its last event has missed nothing (docs/events.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.deployment import Cloud, Deployment, deployment
from tests.support.event_source import EventSource
from tests.support.servers import PostgresServer
from tests.support.service_process import HOST, Service

SECRET = "not-a-secret"
KIND = "news"


def on_edge(edge: Service, last_event_id: str = "") -> EventSource:
    return listening(edge, f"/api/v1/objects/{KIND}", "edge-app", last_event_id)


def on_cloud(cloud: Service, last_event_id: str = "") -> EventSource:
    return listening(cloud, f"/api/v1/objects/acme/{KIND}", "publisher", last_event_id)


def listening(service: Service, target: str, app_key: str, last_event_id: str) -> EventSource:
    port = int(str(service.settings["UnsecureListeningPort"]))
    return EventSource((HOST, port), target, last_event_id=last_event_id, actor=app_key, secret=SECRET).opened()


def test_an_edge_that_was_killed_goes_on_where_its_listener_was(deployed: Deployment) -> None:
    edge = deployed.edge("camera", "c1")
    deployed.start()
    with deployed.cloud.app() as publisher:
        publisher.put(KIND, "1", b"x")
        publisher.put(KIND, "2", b"x")
        with on_edge(edge) as stream:
            assert sorted(stream.names(2)) == ["1", "2"]
            edge.kill()
        publisher.put(KIND, "3", b"x")
        publisher.delete(KIND, "1")
        edge.start()

        with on_edge(edge, stream.last_event_id) as again:
            assert sorted(again.names(2)) == ["1", "3"]
            publisher.put(KIND, "4", b"x")
            assert again.names(1) == ["4"]


def test_a_cloud_that_was_killed_goes_on_where_its_listener_was(tmp_path: Path, database_url: str | None) -> None:
    with deployment(tmp_path, database_url) as deployed:
        edge = deployed.edge("camera", "c1")
        deployed.start()
        with edge.app() as camera:
            camera.put(KIND, "1", b"x")
            with on_cloud(deployed.cloud) as stream:
                assert stream.names(1) == ["1"]
                deployed.cloud.kill()
            camera.put(KIND, "2", b"x")
            deployed.cloud.start()

            with on_cloud(deployed.cloud, stream.last_event_id) as again:
                assert again.names(1) == ["2"]
                camera.put(KIND, "3", b"x")
                assert again.names(1) == ["3"]


def test_a_service_that_stops_ends_its_streams(deployed: Deployment) -> None:
    deployed.start()
    with on_cloud(deployed.cloud) as stream:
        assert deployed.cloud.stop() == 0
        stream.wait_for_end()
        assert stream.parser.is_finished


@pytest.mark.postgres
def test_listeners_of_one_replica_hear_what_arrives_at_another(tmp_path: Path, postgres_server: PostgresServer) -> None:
    with postgres_server.database() as url, deployment(tmp_path, url) as deployed:
        edge = deployed.edge("camera", "c1")
        deployed.start()
        other = Cloud(tmp_path / "css-2", url)
        try:
            other.start()
            with edge.app() as camera, on_cloud(other) as stream:
                camera.put(KIND, "1", b"x")
                assert stream.names(1) == ["1"]
                other.kill()
                camera.put(KIND, "2", b"x")

                with on_cloud(deployed.cloud, stream.last_event_id) as again:
                    assert again.names(1) == ["2"]
        finally:
            other.kill()
