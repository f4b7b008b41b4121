"""The polling call, all objects of a type, destinations of an object (rest-api 3.4, 3.5, 3.13), registered nodes (3.16)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_node import (
    INSTANCE,
    OTHER_EDGE,
    announce,
    announcement,
    as_node,
    message_path,
    poll,
    register,
    send_up,
)

TYPE = "/api/v1/objects/o/t"
M1 = f"{TYPE}/m1"
COPIES = "/api/v1/objects/t"


def listed(node: NodeUnderTest, target: str) -> list[str]:
    """Object ids; 404 with an empty body stands for none (rest-api 7.1)."""
    reply = node.call("GET", target)
    if reply.status == 404:
        assert reply.body == b""
        return []
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    return [item["objectID"] for item in reply.json()]


def destinations(css: NodeUnderTest, target: str = M1) -> list[tuple[str, str]]:
    reply = css.call("GET", f"{target}/destinations")
    if reply.status == 404:
        assert reply.body == b""
        return []
    return [(item["destinationID"], item["status"]) for item in reply.json()]


def test_the_polling_call_lists_what_arrived_whole(ess: EdgeUnderTest) -> None:
    ess.put(f"{COPIES}/own", b"x")
    ess.hear_of("partial")
    ess.receive("whole")
    ess.receive("elsewhere", object_type="other")

    assert listed(ess, COPIES) == ["whole"]
    [shown] = ess.call("GET", COPIES).json()
    assert shown == ess.call("GET", f"{COPIES}/whole").json()
    assert list(shown) == list(announcement())


def test_an_object_shows_until_it_is_received_and_again_when_asked_for(ess: EdgeUnderTest) -> None:
    ess.receive("m1")
    assert listed(ess, COPIES) == listed(ess, COPIES) == ["m1"]
    ess.call("PUT", f"{COPIES}/m1/received")

    assert listed(ess, COPIES) == []
    assert listed(ess, f"{COPIES}?received=true") == ["m1"]
    ess.receive("m1", b"newer", instance_id=2)
    assert listed(ess, COPIES) == ["m1"]


def test_deleted_objects_show_until_confirmed(css: NodeUnderTest, ess: EdgeUnderTest) -> None:
    """On the receiving side, and on the sending side while the news is on its way (rest-api 3.4)."""
    ess.receive("m1")
    ess.lose("m1", instance_id=2)
    register(css)
    css.put(M1, b"x", destinationType="edge")
    poll(css)
    css.call("DELETE", M1)

    for node, target in ((ess, COPIES), (css, TYPE)):
        [shown] = node.call("GET", target).json()
        assert (shown["objectID"], shown["deleted"]) == ("m1", True)


def test_the_cloud_lists_what_edges_sent(css: NodeUnderTest) -> None:
    send_up(css, "up")
    announce(css, "coming", instanceID=INSTANCE + 1)
    css.put(M1, b"own")

    assert listed(css, TYPE) == ["up"]
    assert listed(css, f"{TYPE}/") == ["up"]
    assert listed(css, "/api/v1/objects/x/t") == []


@pytest.mark.parametrize("flag", ["1", "t", "T", "TRUE", "true", "True"])
def test_true_is_written_in_six_ways(ess: EdgeUnderTest, flag: str) -> None:
    ess.receive("m1")
    ess.call("PUT", f"{COPIES}/m1/received")

    assert listed(ess, f"{COPIES}?received={flag}") == ["m1"]
    assert ess.call("GET", f"{COPIES}?all_objects={flag}").json()[0].keys() >= {"orgID"}


@pytest.mark.parametrize(
    "query", ["received=0", "received=f", "received=", "received", "Received=true", "all_objects="]
)
def test_false_empty_and_unknown_parameters_change_nothing(ess: EdgeUnderTest, query: str) -> None:
    ess.receive("m1")
    ess.call("PUT", f"{COPIES}/m1/received")

    assert listed(ess, f"{COPIES}?{query}") == []


def test_the_first_of_repeated_parameters_counts(ess: EdgeUnderTest) -> None:
    ess.receive("m1")
    ess.call("PUT", f"{COPIES}/m1/received")

    assert listed(ess, f"{COPIES}?received=true&received=false") == ["m1"]
    assert listed(ess, f"{COPIES}?received=false&received=true") == []


@pytest.mark.parametrize("value", ["maybe", "tRUE", "yes", "2", "%00", "true%20", "-1"])
@pytest.mark.parametrize("name", ["received", "all_objects"])
def test_a_malformed_flag_is_refused(css: NodeUnderTest, ess: EdgeUnderTest, name: str, value: str) -> None:
    for node, target in ((css, TYPE), (ess, COPIES)):
        reply = node.call("GET", f"{target}?{name}={value}")
        assert (reply.status, reply.body) == (400, b"")


def test_all_objects_are_listed_with_their_destinations(css: NodeUnderTest) -> None:
    register(css)
    css.put(f"{TYPE}/b", b"x", destinationType="edge")
    css.put(f"{TYPE}/a")
    send_up(css, "up")

    reply = css.call("GET", f"{TYPE}?all_objects=true")
    to_edge = {"destinationType": "edge", "destinationID": "n1", "status": "delivering", "message": ""}
    assert reply.json() == [
        {"orgID": "o", "objectType": "t", "objectID": "a", "destinations": [to_edge | {"status": "pending"}]},
        {"orgID": "o", "objectType": "t", "objectID": "b", "destinations": [to_edge]},
        {"orgID": "o", "objectType": "t", "objectID": "up", "destinations": []},
    ]


def test_all_objects_of_an_edge_have_no_destinations(ess: EdgeUnderTest) -> None:
    ess.put(f"{COPIES}/own", b"x")
    ess.receive("copy")

    expected: list[dict[str, Any]] = [
        {"orgID": "o", "objectType": "t", "objectID": i, "destinations": []} for i in ("copy", "own")
    ]
    assert ess.call("GET", f"{COPIES}?all_objects=true").json() == expected
    assert listed(ess, "/api/v1/objects/unknown?all_objects=true") == []


def test_destinations_follow_the_delivery(css: NodeUnderTest) -> None:
    """rest-api 5.4, the words of a whole life."""
    register(css)
    css.put(M1, destinationType="edge", consumers=1)
    assert destinations(css) == [("n1", "pending")]
    css.call("PUT", f"{M1}/data", b"x")
    assert destinations(css) == [("n1", "delivering")]
    [item] = poll(css)
    instance = item["MetaData"]["instanceID"]

    def answer(action: str, body: Any = b"") -> None:
        path = message_path(action, instance=instance, data_id=instance)
        assert as_node(css, "PUT", path, body).status == 204

    answer("updated")
    assert destinations(css) == [("n1", "delivering")]
    answer("feedback", {"Code": 2, "RetryInterval": 0, "Reason": "disk full"})
    reply = css.call("GET", f"{M1}/destinations")
    assert reply.json() == [
        {"destinationType": "edge", "destinationID": "n1", "status": "error", "message": "disk full"}
    ]
    answer("received")
    assert css.call("GET", f"{M1}/destinations").json()[0] | {"message": ""} == {
        "destinationType": "edge",
        "destinationID": "n1",
        "status": "delivered",
        "message": "",
    }
    answer("consumed")
    assert destinations(css) == [("n1", "consumed")]
    css.put(M1, b"next", destinationType="edge")
    assert destinations(css) == [("n1", "delivering")]


def test_destinations_are_those_addressed(css: NodeUnderTest) -> None:
    register(css)
    register(css, OTHER_EDGE)
    css.put(f"{TYPE}/everybody", b"x")
    css.put(f"{TYPE}/one", b"x", destinationType="edge", destinationID="n2")
    css.put(f"{TYPE}/list", b"x", destinationsList=["edge:n2", "edge:n1", "edge:n2"])
    css.put(f"{TYPE}/empty-list", b"x", destinationsList=[])
    css.put(f"{TYPE}/nobody", b"x", destinationType="nowhere")
    css.put(f"{TYPE}/later", b"x", destinationType="edge", destinationID="n9")

    both = [("n1", "delivering"), ("n2", "delivering")]
    assert sorted(destinations(css, f"{TYPE}/everybody")) == both
    assert sorted(destinations(css, f"{TYPE}/list")) == both
    assert sorted(destinations(css, f"{TYPE}/empty-list")) == both
    assert destinations(css, f"{TYPE}/one") == [("n2", "delivering")]
    assert destinations(css, f"{TYPE}/nobody") == destinations(css, f"{TYPE}/later") == []


def test_an_edge_has_no_destinations_to_show(ess: EdgeUnderTest) -> None:
    ess.put(f"{COPIES}/m1", b"x")

    reply = ess.call("GET", f"{COPIES}/m1/destinations")
    assert (reply.status, reply.body) == (404, b"")


def test_registered_nodes_are_listed(css: NodeUnderTest) -> None:
    register(css)
    register(css, OTHER_EDGE)

    for target in ("/api/v1/destinations/o", "/api/v1/destinations/o/"):
        assert css.call("GET", target).json() == [
            {
                "destinationOrgID": "o",
                "destinationType": "edge",
                "destinationID": node_id,
                "communication": "http",
                "codeVersion": "1.0",
            }
            for node_id in ("n1", "n2")
        ]
    for target in ("/api/v1/destinations/x", "/api/v1/destinations/x/"):
        reply = css.call("GET", target, actor="bob@x")
        assert (reply.status, reply.body) == (404, b"")


@pytest.mark.parametrize("target", ["/api/v1/destinations", "/api/v1/destinations/", "/api/v1/destinations/o/edge"])
def test_nodes_are_listed_by_organization_only(css: NodeUnderTest, target: str) -> None:
    assert css.call("GET", target).status in (400, 404)


def test_an_edge_lists_no_nodes(ess: EdgeUnderTest) -> None:
    reply = ess.call("GET", "/api/v1/destinations")
    assert (reply.status, reply.body) == (400, b"")
