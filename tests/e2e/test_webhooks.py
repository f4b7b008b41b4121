"""Webhooks across processes: what was received is told, whatever is killed in between."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import httpx
import pytest

from tests.support.apps import Application, wait_until
from tests.support.deployment import ORG, Deployment
from tests.support.service_process import Service
from tests.support.webhook_receiver import Receiver, answer, receiver


def told(hook: Receiver) -> list[tuple[str, str]]:
    """Object id and version of each call, in order."""
    bodies: list[dict[str, Any]] = [json.loads(heard.body) for heard in hook.heard]
    return [(body["objectID"], body["version"]) for body in bodies]


def register(app: Application, object_type: str, url: str, **options: str) -> None:
    body = {"action": "register", "url": url, **options}
    app.http.put(f"{app.objects_url}/{object_type}", json=body).raise_for_status()


def queue(service: Service, app: Application, org: str = "") -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = app.http.get(f"{service.base_url}/api/v1/webhooks{org}").raise_for_status().json()
    return listed


def test_events_survive_a_kill_before_and_during_a_call(deployed: Deployment) -> None:
    edge = deployed.edge("camera", "c1")
    edge.settings["WebhookTimeout"] = 1
    deployed.start()
    is_over = threading.Event()

    def never(_: socket.socket) -> None:
        is_over.wait(60)

    with deployed.cloud.app() as publisher, edge.app() as app, receiver(never) as silent:
        register(app, "model", f"http://{silent.address}/")
        publisher.put("model", "a", b"1", version="1", destinationType="camera")
        # The first call is under way: its outcome will never be known.
        wait_until(lambda: told(silent) == [("a", "1")])
        for version in ("2", "3"):
            publisher.put("model", "a", version.encode(), version=version, destinationType="camera")
            wait_until(lambda version=version: (app.get("model", "a") or {}).get("version") == version)  # type: ignore[misc]
        edge.kill()
        is_over.set()
        silent.replace_answers(answer(503), answer(204))
        edge.start()
        wait_until(lambda: told(silent)[-1:] == [("a", "3")], timeout_seconds=60)
        versions = [version for _, version in told(silent)]

    # At least once each, and none before the one ahead of it was taken.
    assert versions == sorted(versions)
    assert set(versions) == {"1", "2", "3"}


def test_what_committed_before_a_kill_is_called_after_it(deployed: Deployment) -> None:
    edge = deployed.edge("camera", "c1")
    deployed.start()
    with deployed.cloud.app() as publisher, edge.app() as app, receiver(answer(503)) as hook:
        register(app, "model", f"http://{hook.address}/", secret="s3cret", format="cloudevents")
        for name in ("a", "b"):
            publisher.put("model", name, b"x", version="1", destinationType="camera")
            wait_until(lambda name=name: app.status("model", name) == "completelyReceived")  # type: ignore[misc]
        edge.restart()
        hook.replace_answers(answer(204))
        wait_until(lambda: {json.loads(heard.body)["subject"] for heard in hook.heard} == {"model/a", "model/b"})
        wait_until(lambda: "webhook-signature" in hook.heard[-1].headers)
        assert "s3cret" not in edge.log_path.read_text()


def test_the_cloud_calls_only_where_its_operator_lets_it(deployed: Deployment) -> None:
    edge = deployed.edge("camera", "c1")
    deployed.start()
    with deployed.cloud.app() as admin, edge.app() as app, receiver() as hook:
        with pytest.raises(httpx.HTTPStatusError):
            register(admin, "up", f"http://{hook.address}/")
        # What a name leads to shows when it is called.
        register(admin, "up", f"http://localhost:{hook.port}/")
        app.put("up", "a", b"1", version="1")
        wait_until(lambda: queue(deployed.cloud, admin, f"/{ORG}")[0]["lastError"])
        assert "WebhookAllowedNetworks" in queue(deployed.cloud, admin, f"/{ORG}")[0]["lastError"]
        assert hook.heard == []

        deployed.cloud.stop()
        deployed.cloud.settings["WebhookAllowedNetworks"] = "127.0.0.0/8,::1"
        deployed.cloud.start()
        wait_until(lambda: told(hook) == [("a", "1")])
        wait_until(lambda: queue(deployed.cloud, admin, f"/{ORG}")[0]["queued"] == 0)
