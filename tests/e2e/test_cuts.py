"""A link that breaks in the middle of a transfer: what was durable is not sent again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.apps import PIECE_BYTES, wait_until
from tests.support.contents import Content
from tests.support.deployment import Deployment, Edge
from tests.support.faults import Direction, FaultProxy, fault_proxy
from tests.support.metering import TransferMeter

MIB = 1 << 20
#: What the receiving side flushes at once, and what was on its way to it: two batches of 1 MiB and the sockets' buffers.
WINDOW_BYTES = 8 * MIB
IN_FLIGHT_BYTES = 8 * MIB


@pytest.fixture
def meter() -> TransferMeter:
    return TransferMeter()


@pytest.fixture
def link(deployed: Deployment, meter: TransferMeter) -> Iterator[FaultProxy]:
    """Between the edge and the cloud; the cloud runs."""
    deployed.cloud.know("camera", "c1")
    deployed.cloud.start()
    with fault_proxy(deployed.cloud.port, meter.connection) as proxy:
        yield proxy


@pytest.fixture
def edge(deployed: Deployment, link: FaultProxy) -> Edge:
    edge = deployed.edge("camera", "c1", via_port=link.port)
    edge.start()
    return edge


@pytest.mark.parametrize("cut", ["reset", "half-close", "edge killed", "cloud killed"])
def test_a_download_resumes_where_it_was_durable(
    deployed: Deployment, edge: Edge, link: FaultProxy, meter: TransferMeter, cut: str
) -> None:
    content = Content("big", 1, 40 * MIB)
    link.bytes_per_second = 60 * MIB
    with deployed.cloud.app() as publisher, edge.app() as camera:
        publisher.put("big", "o", destinationType="camera")
        publisher.put_data_in_pieces("big", "o", content)
        wait_until(lambda: link.carried_bytes[Direction.DOWN] > 20 * MIB)

        cut_off(cut, deployed, edge, link)

        wait_until(lambda: camera.status("big", "o") == "completelyReceived")
        assert camera.digest("big", "o") == content.digest
    assert link.carried_bytes[Direction.DOWN] < content.size_bytes + WINDOW_BYTES + IN_FLIGHT_BYTES
    assert len(meter.transfers) == 2
    assert meter.transfers[1].start > 0
    assert max(meter.repeats(), default=0) <= WINDOW_BYTES + IN_FLIGHT_BYTES


@pytest.mark.parametrize("cut", ["reset", "edge killed", "cloud killed"])
def test_an_upload_of_an_edge_resumes_where_it_was_durable(
    deployed: Deployment, edge: Edge, link: FaultProxy, meter: TransferMeter, cut: str
) -> None:
    content = Content("up", 1, 40 * MIB)
    link.bytes_per_second = 60 * MIB
    with deployed.cloud.app() as reader, edge.app() as camera:
        camera.put("up", "o")
        camera.put_data_in_pieces("up", "o", content)
        wait_until(lambda: link.carried_bytes[Direction.UP] > 20 * MIB)

        cut_off(cut, deployed, edge, link)

        wait_until(lambda: reader.status("up", "o") == "completelyReceived")
        assert reader.digest("up", "o") == content.digest
    assert sum(meter.repeats()) <= WINDOW_BYTES + IN_FLIGHT_BYTES


def test_a_link_that_breaks_every_few_megabytes_still_delivers(
    deployed: Deployment, edge: Edge, link: FaultProxy, meter: TransferMeter
) -> None:
    content = Content("broken", 1, 64 * MIB)
    with deployed.cloud.app() as publisher, edge.app() as camera:
        publisher.put("big", "o", destinationType="camera")
        link.cut_after(Direction.DOWN, 12 * MIB)
        publisher.put_data_in_pieces("big", "o", content)
        for _ in range(4):
            wait_until(lambda: link.is_cut)
            link.cut_after(Direction.DOWN, 12 * MIB)

        wait_until(lambda: camera.status("big", "o") == "completelyReceived")
        assert camera.digest("big", "o") == content.digest
    assert max(meter.repeats(), default=0) <= WINDOW_BYTES + IN_FLIGHT_BYTES


def test_a_link_that_falls_silent_is_given_up(deployed: Deployment, link: FaultProxy) -> None:
    content = Content("silent", 1, 24 * MIB)
    edge = deployed.edge("camera", "c1", via_port=link.port)
    edge.settings |= {"HTTPESSClientTimeout": 8, "HTTPESSObjClientTimeout": 2, "HTTPPollWait": 2}
    edge.start()
    link.bytes_per_second = 16 * MIB
    with deployed.cloud.app() as publisher, edge.app() as camera:
        publisher.put("big", "o", destinationType="camera")
        publisher.put_data_in_pieces("big", "o", content)
        wait_until(lambda: link.carried_bytes[Direction.DOWN] > 10 * MIB)

        link.silence()

        wait_until(lambda: camera.status("big", "o") == "completelyReceived")
        assert camera.digest("big", "o") == content.digest


def test_an_application_repeats_one_piece_of_its_upload_at_most(deployed: Deployment, meter: TransferMeter) -> None:
    content = Content("upload", 1, 40 * MIB)
    deployed.start()
    cloud = deployed.cloud
    with fault_proxy(cloud.port, meter.connection) as link, cloud.app(via_port=link.port) as app:
        app.put("big", "o", destinationType="camera")
        link.cut_after(Direction.UP, 20 * MIB)
        app.put_data_in_pieces("big", "o", content, retry_seconds=10)

        assert app.status("big", "o") == "ready"
        assert app.digest("big", "o") == content.digest
    assert sum(meter.repeats()) <= PIECE_BYTES


def cut_off(cut: str, deployed: Deployment, edge: Edge, link: FaultProxy) -> None:
    match cut:
        case "reset":
            link.cut()
        case "half-close":
            link.half_close()
        case "edge killed":
            edge.restart()
        case "cloud killed":
            deployed.cloud.restart()
