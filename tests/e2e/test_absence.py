"""Edges that come late or were away, and a cloud that is."""

from __future__ import annotations

import time

from tests.support.apps import wait_until
from tests.support.deployment import Deployment
from tests.support.fleet import Fleet

#: What an application's call may take while the other side is away. Far below any time limit it could be waiting for.
AT_ONCE_SECONDS = 1.0


def test_a_node_that_registers_later_gets_what_is_addressed_to_it(fleet: Fleet) -> None:
    fleet.publisher.put("early", "for-all", b"a")
    fleet.publisher.put("early", "for-type", b"b", destinationType="late")
    fleet.publisher.put("early", "for-node", b"c", destinationType="late", destinationID="l1")
    fleet.publisher.put("early", "for-others", b"d", destinationType="camera")
    fleet.publisher.put("early", "deleted", b"e")
    fleet.publisher.delete("early", "deleted")
    edge = fleet.deployed.edge("late", "l1")

    # Accounts of a preset file count from the next start.
    fleet.deployed.cloud.restart()
    edge.start()

    with edge.app() as app:
        wait_until(lambda: len(app.updated("early")) == 3)
        data = {each["objectID"]: app.data("early", each["objectID"]) for each in app.updated("early")}
    assert data == {"for-all": b"a", "for-type": b"b", "for-node": b"c"}
    wait_until(lambda: fleet.publisher.destinations("early", "for-type") == {"late:l1": "delivered"})


def test_a_node_that_was_away_gets_the_latest_version_only(fleet: Fleet) -> None:
    gateway = fleet.edge("g1")
    fleet.publisher.put("missed", "o", b"v1", destinationType="gateway")
    wait_until(lambda: fleet.apps["g1"].updated("missed"))
    gateway.kill()

    for version in range(2, 12):
        fleet.publisher.put_data("missed", "o", b"v%d" % version)
    fleet.publisher.put("missed", "gone", b"x", destinationType="gateway")
    fleet.publisher.delete("missed", "gone")
    gateway.start()

    wait_until(lambda: fleet.apps["g1"].data("missed", "o") == b"v11")
    received = [line for line in gateway.log_path.read_text().splitlines() if "object_received" in line]
    assert sum("/missed/o" in line for line in received) == 2, "v1 before it went away, and v11"
    wait_until(lambda: fleet.publisher.get("missed", "gone") is None, "the node had nothing to drop, and said so")


def test_an_edge_serves_its_applications_while_the_cloud_is_away(fleet: Fleet) -> None:
    camera = fleet.apps["c1"]
    fleet.publisher.put("offline", "down", b"from the cloud", destinationType="camera", destinationID="c1")
    wait_until(lambda: camera.updated("offline"))
    fleet.deployed.cloud.kill()

    began_at = time.monotonic()
    for number in range(5):
        camera.put("offline-up", f"o{number}", b"from the edge")
    camera.put("offline-up", "deleted", b"from the edge")
    camera.delete("offline-up", "deleted")
    assert camera.data("offline", "down") == b"from the cloud"
    camera.mark_consumed("offline", "down")
    assert time.monotonic() - began_at < AT_ONCE_SECONDS
    assert camera.updated("offline") == []

    fleet.deployed.cloud.start()

    wait_until(lambda: fleet.publisher.destinations("offline", "down") == {"camera:c1": "consumed"})
    wait_until(lambda: len(fleet.publisher.updated("offline-up")) == 5)
    wait_until(lambda: camera.get("offline-up", "deleted") is None)


def test_a_cloud_that_lost_its_database_is_told_everything_again(deployed: Deployment) -> None:
    edge = deployed.edge("camera", "c1")
    deployed.start()
    with deployed.cloud.app() as publisher, edge.app() as camera:
        publisher.put("model", "m", b"before", destinationType="camera")
        camera.put("report", "r", b"from the edge")
        wait_until(lambda: camera.updated("model") and publisher.updated("report"))

        deployed.cloud.wipe()
        deployed.cloud.start()

        wait_until(lambda: publisher.data("report", "r") == b"from the edge" if publisher.updated("report") else False)
        publisher.put("model", "m", b"after", destinationType="camera")
        wait_until(lambda: camera.data("model", "m") == b"after")


def test_an_edge_that_lost_its_database_gets_everything_again(deployed: Deployment) -> None:
    edge = deployed.edge("camera", "c1")
    deployed.start()
    with deployed.cloud.app() as publisher, edge.app() as camera:
        for number in range(3):
            publisher.put("model", f"m{number}", b"x" * 100_000, destinationType="camera")
        wait_until(lambda: len(camera.updated("model")) == 3)

        edge.wipe()
        edge.start()

        wait_until(lambda: len(camera.updated("model")) == 3)
        assert camera.data("model", "m0") == b"x" * 100_000
