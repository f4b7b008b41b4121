"""An object from the cloud to the edges it is addressed to: it arrives, is used up, and the cloud knows."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tests.support.apps import Application, wait_until
from tests.support.contents import Content
from tests.support.fleet import Fleet

MIB = 1 << 20


@pytest.mark.parametrize(
    ("addressing", "addressed"),
    [
        pytest.param({}, {"c1", "c2", "g1"}, id="everybody"),
        pytest.param({"destinationType": "camera"}, {"c1", "c2"}, id="a-type"),
        pytest.param({"destinationType": "camera", "destinationID": "c2"}, {"c2"}, id="one-node"),
        pytest.param({"destinationsList": ["camera:c1", "gateway:g1"]}, {"c1", "g1"}, id="a-list"),
    ],
)
def test_an_object_reaches_the_nodes_it_is_addressed_to_and_no_others(
    fleet: Fleet, addressing: dict[str, object], addressed: set[str], request: pytest.FixtureRequest
) -> None:
    kind = f"address-{request.node.callspec.id}"

    fleet.publisher.put(kind, "settings", b"brightness=7", **addressing)
    fleet.publisher.put(kind, "marker", b"sent after it")

    for app in fleet.apps.values():
        wait_until(lambda: arrived(app, kind, "marker"))  # noqa: B023 - called before the loop goes on
    wait_until(lambda: set(fleet.publisher.destinations(kind, "settings").values()) == {"delivered"})
    assert {name for name, app in fleet.apps.items() if app.get(kind, "settings")} == addressed
    assert len(fleet.publisher.destinations(kind, "settings")) == len(addressed)
    assert [fleet.apps[name].data(kind, "settings") for name in addressed] == [b"brightness=7"] * len(addressed)


@pytest.mark.parametrize("size_bytes", [0, 1, 32 * 1024, 32 * 1024 + 1, 3 * MIB, 40 * MIB + 17])
def test_data_of_any_size_arrives_whole(fleet: Fleet, size_bytes: int) -> None:
    content = Content("sizes", 1, size_bytes)
    object_id = f"of-{size_bytes}"

    fleet.publisher.put("sizes", object_id, destinationType="camera")
    if size_bytes > MIB:
        fleet.publisher.put_data_in_pieces("sizes", object_id, content)
    else:
        fleet.publisher.put_data("sizes", object_id, content.read(0, size_bytes))

    for app in (fleet.publisher, fleet.apps["c1"], fleet.apps["c2"]):
        wait_until(lambda: app.status("sizes", object_id) in ("ready", "completelyReceived"))  # noqa: B023
        assert app.digest("sizes", object_id) == content.digest
        assert (app.get("sizes", object_id) or {})["objectSize"] == size_bytes


def test_an_object_without_data_is_its_metadata(fleet: Fleet) -> None:
    fleet.publisher.put("signal", "reboot", noData=True, description="tonight at three", destinationType="gateway")

    listed = wait_until(lambda: fleet.apps["g1"].updated("signal"))
    assert [(each["objectID"], each["description"]) for each in listed] == [("reboot", "tonight at three")]
    fleet.apps["g1"].mark_consumed("signal", "reboot")
    wait_until(lambda: fleet.publisher.destinations("signal", "reboot") == {"gateway:g1": "consumed"})


def test_the_cloud_learns_what_became_of_the_object(fleet: Fleet) -> None:
    camera = fleet.apps["c1"]
    fleet.publisher.put("life", "o", b"v1", destinationType="camera", destinationID="c1")
    wait_until(lambda: fleet.publisher.destinations("life", "o") == {"camera:c1": "delivered"})

    camera.mark_received("life", "o")
    assert camera.updated("life") == []
    assert [each["objectID"] for each in camera.updated("life", received=True)] == ["o"]

    camera.mark_consumed("life", "o")
    assert camera.updated("life", received=True) == []
    wait_until(lambda: fleet.publisher.destinations("life", "o") == {"camera:c1": "consumed"})
    wait_until(lambda: camera.get("life", "o") is None, "the copy has gone")


def test_an_update_brings_back_what_was_consumed(fleet: Fleet) -> None:
    camera = fleet.apps["c2"]
    fleet.publisher.put("again", "o", b"v1", destinationType="camera", destinationID="c2")
    first = wait_until(lambda: camera.updated("again"))[0]
    camera.mark_consumed("again", "o")

    fleet.publisher.put_data("again", "o", b"v2")

    second = wait_until(lambda: camera.updated("again"))[0]
    assert second["instanceID"] > first["instanceID"]
    assert camera.data("again", "o") == b"v2"


def test_changed_metadata_travels_without_its_data(fleet: Fleet) -> None:
    gateway = fleet.apps["g1"]
    content = Content("meta-only", 1, 3 * MIB)
    fleet.publisher.put("meta-only", "o", destinationType="gateway", version="1")
    fleet.publisher.put_data("meta-only", "o", content.read(0, content.size_bytes))
    first = wait_until(lambda: gateway.updated("meta-only"))[0]

    fleet.publisher.put("meta-only", "o", destinationType="gateway", version="2", metaOnly=True)

    wait_until(lambda: (gateway.get("meta-only", "o") or {})["version"] == "2")
    second = gateway.updated("meta-only")[0]
    assert (second["dataID"], second["objectSize"]) == (first["dataID"], first["objectSize"])
    assert gateway.digest("meta-only", "o") == content.digest


def test_a_deleted_object_disappears_and_the_cloud_forgets_it(fleet: Fleet) -> None:
    fleet.publisher.put("doomed", "o", b"v1", destinationType="camera")
    for name in ("c1", "c2"):
        wait_until(lambda: arrived(fleet.apps[name], "doomed", "o"))  # noqa: B023

    fleet.publisher.delete("doomed", "o")

    for name in ("c1", "c2"):
        app = fleet.apps[name]
        wait_until(lambda: app.status("doomed", "o") == "objdeleted")  # noqa: B023
        assert [each["deleted"] for each in app.updated("doomed")] == [True]
        app.mark_deleted("doomed", "o")
        wait_until(lambda: app.get("doomed", "o") is None)  # noqa: B023
    wait_until(lambda: fleet.publisher.get("doomed", "o") is None, "all have acknowledged")


def test_a_node_dropped_from_the_list_loses_the_object(fleet: Fleet) -> None:
    fleet.publisher.put("moved", "o", b"v1", destinationsList=["camera:c1", "gateway:g1"])
    for name in ("c1", "g1"):
        wait_until(lambda: arrived(fleet.apps[name], "moved", "o"))  # noqa: B023

    fleet.publisher.put("moved", "o", b"v2", destinationsList=["gateway:g1"])

    wait_until(lambda: fleet.apps["c1"].status("moved", "o") == "objdeleted")
    wait_until(lambda: fleet.apps["g1"].data("moved", "o") == b"v2")
    wait_until(lambda: fleet.publisher.destinations("moved", "o") == {"gateway:g1": "delivered"})


@pytest.mark.parametrize("size_bytes", [11, 5 * MIB + 3], ids=["small", "big"])
def test_an_edge_sends_an_object_up_and_learns_that_it_was_consumed(fleet: Fleet, size_bytes: int) -> None:
    content = Content("up", 1, size_bytes)
    gateway, object_id = fleet.apps["g1"], f"of-{size_bytes}"

    gateway.put("up", object_id, content.read(0, size_bytes))

    listed = wait_until(lambda: [each for each in fleet.publisher.updated("up") if each["objectID"] == object_id])
    assert (listed[0]["originType"], listed[0]["originID"]) == ("gateway", "g1")
    assert fleet.publisher.digest("up", object_id) == content.digest
    fleet.publisher.mark_consumed("up", object_id)
    wait_until(lambda: gateway.status("up", object_id) == "consumedByDest")
    wait_until(lambda: fleet.publisher.get("up", object_id) is None)


def test_an_edge_updates_and_deletes_what_it_sent_up(fleet: Fleet) -> None:
    camera = fleet.apps["c1"]
    camera.put("report", "r", b"v1")
    wait_until(lambda: arrived(fleet.publisher, "report", "r"))

    camera.put_data("report", "r", b"v2")
    wait_until(lambda: fleet.publisher.data("report", "r") == b"v2")

    camera.delete("report", "r")
    wait_until(lambda: fleet.publisher.status("report", "r") == "objdeleted")
    fleet.publisher.mark_deleted("report", "r")
    wait_until(lambda: camera.get("report", "r") is None)


def test_many_small_objects_published_at_once_all_arrive(fleet: Fleet) -> None:
    wanted = {f"o{number:03}": sha256(str(number).encode()).digest() * 8 for number in range(250)}

    for object_id, data in wanted.items():
        fleet.publisher.put("many", object_id, data, destinationType="camera")

    for name in ("c1", "c2"):
        app = fleet.apps[name]
        wait_until(lambda: len(app.updated("many")) == len(wanted))  # noqa: B023
        assert all(app.data("many", object_id) == data for object_id, data in wanted.items())


def arrived(app: Application, object_type: str, object_id: str) -> bool:
    return app.status(object_type, object_id) == "completelyReceived"
