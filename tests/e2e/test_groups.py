"""Objects for groups and by policy, from the cloud to edges that join, leave and change."""

from __future__ import annotations

from typing import Any

from tests.support.apps import wait_until
from tests.support.deployment import ORG
from tests.support.fleet import Fleet


def administer(fleet: Fleet, method: str, path: str, body: Any) -> None:
    url = f"{fleet.deployed.cloud.base_url}/api/v1/{path}"
    fleet.publisher.http.request(method, url, json=body).raise_for_status()


def status(fleet: Fleet, node_id: str, object_type: str) -> str | None:
    return fleet.apps[node_id].status(object_type, "o")


def test_an_object_follows_the_list_of_its_group(fleet: Fleet) -> None:
    administer(fleet, "PUT", f"groups/{ORG}/listed", {"members": ["camera:c1"]})
    fleet.publisher.put("listed", "o", b"brightness=7", destinationType="@group", destinationID="listed")
    wait_until(lambda: status(fleet, "c1", "listed") == "completelyReceived")
    assert status(fleet, "c2", "listed") is None

    administer(fleet, "PUT", f"groups/{ORG}/listed", {"members": ["camera:c2", "gateway:g1"]})
    wait_until(lambda: status(fleet, "c1", "listed") == "objdeleted")
    wait_until(lambda: fleet.apps["c2"].updated("listed") and fleet.apps["g1"].updated("listed"))
    wait_until(
        lambda: fleet.publisher.destinations("listed", "o") == {"camera:c2": "delivered", "gateway:g1": "delivered"}
    )

    fleet.apps["c1"].mark_deleted("listed", "o")
    administer(fleet, "PUT", f"groups/{ORG}/listed", {"members": ["camera:c1", "camera:c2"]})
    wait_until(lambda: status(fleet, "c1", "listed") == "completelyReceived")
    assert fleet.apps["c1"].data("listed", "o") == b"brightness=7"
    wait_until(lambda: status(fleet, "g1", "listed") == "objdeleted")
    wait_until(
        lambda: fleet.publisher.destinations("listed", "o") == {"camera:c1": "delivered", "camera:c2": "delivered"}
    )


def test_an_object_follows_the_labels_nodes_register_with(fleet: Fleet) -> None:
    administer(fleet, "PUT", f"groups/{ORG}/lab", {"expression": "site == lab && floor < 3"})
    fleet.publisher.put("labelled", "o", b"v1", destinationType="@group", destinationID="lab")
    late = fleet.deployed.edge("late", "n1")
    late.settings["NodeLabels"] = "site=lab,floor=2"
    fleet.edge("g1").settings["NodeLabels"] = "site=lab,floor=10"
    # Accounts of a preset file count from the next start.
    fleet.deployed.cloud.restart()
    fleet.edge("g1").restart()
    late.start()

    with late.app() as app:
        wait_until(lambda: app.updated("labelled"))
        assert app.data("labelled", "o") == b"v1"
        assert (app.get("labelled", "o") or {})["destinationType"] == "late"
        wait_until(lambda: fleet.publisher.destinations("labelled", "o") == {"late:n1": "delivered"})

        administer(fleet, "PATCH", f"destinations/{ORG}/gateway/g1/labels", {"floor": "1"})
        wait_until(lambda: fleet.apps["g1"].updated("labelled"))

        late.settings["NodeLabels"] = "site=hall"
        late.restart()
        wait_until(lambda: app.status("labelled", "o") == "objdeleted")
        wait_until(lambda: fleet.publisher.destinations("labelled", "o") == {"gateway:g1": "delivered"})


def test_the_cloud_places_policy_objects_when_it_is_asked_to(fleet: Fleet) -> None:
    administer(fleet, "PUT", f"destinations/{ORG}/camera/c1/labels", {"purpose": "demo"})
    fleet.publisher.put("policy", "o", b"v1", destinationPolicy={"constraints": ["purpose == demo"]})
    assert fleet.publisher.destinations("policy", "o") == {}

    administer(fleet, "PUT", f"placement/{ORG}", {"placement": "builtin"})
    wait_until(lambda: fleet.apps["c1"].updated("policy"))
    assert fleet.publisher.destinations("policy", "o").keys() == {"camera:c1"}

    administer(fleet, "PUT", f"destinations/{ORG}/camera/c1/labels", {})
    administer(fleet, "PUT", f"destinations/{ORG}/camera/c2/labels", {"purpose": "demo"})
    wait_until(lambda: status(fleet, "c1", "policy") == "objdeleted")
    wait_until(lambda: fleet.publisher.destinations("policy", "o") == {"camera:c2": "delivered"})
    administer(fleet, "PUT", f"placement/{ORG}", {"placement": "outside"})
