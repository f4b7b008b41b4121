"""Services as processes: how they stop, and how they refuse to start."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from signal import SIGINT, SIGTERM, Signals

import httpx
import pytest

from tests.support.apps import wait_until
from tests.support.contents import Content
from tests.support.deployment import Deployment
from tests.support.service_process import HOST, Service, free_port

MIB = 1 << 20


@pytest.mark.parametrize("signal", [SIGTERM, SIGINT])
def test_a_stop_ends_both_services_in_good_order(deployed: Deployment, signal: Signals) -> None:
    edge = deployed.edge("camera", "c1")
    deployed.start()
    wait_until(lambda: "link_up" in edge.end_of_log())

    # The edge's long poll is open: neither waits for it.
    began_at = time.monotonic()
    assert deployed.cloud.stop(signal) == 0
    assert edge.stop(signal) == 0
    assert time.monotonic() - began_at < 10


def test_a_stop_lets_requests_finish(deployed: Deployment) -> None:
    deployed.start()
    content = Content("slow", 1, 4 * MIB)
    answers: list[int] = []

    with deployed.cloud.app() as publisher:
        publisher.put("big", "o")
        upload = SlowUpload(publisher.http, f"{publisher.objects_url}/big/o/data", content)
        wait_until(lambda: upload.sent_bytes > 0)
        stopping = threading.Thread(target=lambda: answers.append(deployed.cloud.stop()))
        stopping.start()
        wait_until(lambda: "stopping" in deployed.cloud.end_of_log())
        upload.go_on()
        upload.join()
        stopping.join()
        assert (upload.status, answers) == (204, [0])

        deployed.cloud.start()
        assert publisher.digest("big", "o") == content.digest


def test_a_stop_does_not_wait_longer_than_it_may(deployed: Deployment) -> None:
    deployed.cloud.settings["ShutdownQuiesceTime"] = 1
    deployed.start()
    with deployed.cloud.app() as publisher:
        publisher.put("big", "o")
        upload = SlowUpload(publisher.http, f"{publisher.objects_url}/big/o/data", Content("slow", 1, 4 * MIB))
        wait_until(lambda: upload.sent_bytes > 0)

        began_at = time.monotonic()
        assert deployed.cloud.stop() == 0
        assert time.monotonic() - began_at < 6
        upload.go_on()
        upload.join()


@pytest.mark.parametrize("service", ["css", "ess"])
def test_a_second_process_on_the_same_directory_is_refused(deployed: Deployment, service: str) -> None:
    edge = deployed.edge("camera", "c1")
    deployed.start()
    first = deployed.cloud if service == "css" else edge
    running = first.process_id

    second = Service(first.module, "second", first.directory / "second", first.settings)
    second.settings["UnsecureListeningPort"] = free_port()
    second.state_directory.symlink_to(first.state_directory)

    assert refusal(second) == (1, 1)
    assert "in use by another running service" in second.end_of_log()
    assert str(running) in second.end_of_log()
    assert first.is_ready()


def test_a_taken_port_is_told_in_one_line(deployed: Deployment) -> None:
    with socket.create_server((HOST, deployed.cloud.port)):
        assert refusal(deployed.cloud) == (1, 1)
    assert f"Cannot listen on {HOST} port {deployed.cloud.port}" in deployed.cloud.end_of_log()


def refusal(service: Service) -> tuple[int, int]:
    """Start what cannot start: its exit status, and how many lines it wrote that are no log lines."""
    service.launch()
    status = service.wait()
    lines = service.log_path.read_text().splitlines()
    return status, sum(line.startswith("edgesync-") for line in lines)


class SlowUpload(threading.Thread):
    """An upload whose second half waits until it is told to go on."""

    def __init__(self, http: httpx.Client, url: str, content: Content) -> None:
        super().__init__(daemon=True)
        self._http = http
        self._url = url
        self._content = content
        self._may_go_on = threading.Event()
        self.sent_bytes = 0
        self.status: int | None = None
        self.start()

    def go_on(self) -> None:
        self._may_go_on.set()

    def run(self) -> None:
        try:
            self.status = self._http.put(self._url, content=self._pieces()).status_code
        except httpx.TransportError:
            self.status = None

    def _pieces(self) -> Iterator[bytes]:
        half = self._content.size_bytes // 2
        yield self._content.read(0, half)
        self.sent_bytes = half
        self._may_go_on.wait(30)
        yield self._content.read(half, self._content.size_bytes)
