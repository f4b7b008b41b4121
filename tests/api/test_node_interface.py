"""`/spi/v1`: registration of edges and their poll, as our cloud has to answer them (wire-protocol 0.1, 2.1 to 2.5)."""

from __future__ import annotations

import pytest

from tests.support.node_under_test import NodeUnderTest
from tests.support.requests_node import (
    announcement,
    as_node,
    message_path,
    nothing_changes,
    poll,
    register,
)

M1 = "/api/v1/objects/o/t/m1"


def test_an_unknown_node_registers_as_new(css: NodeUnderTest) -> None:
    """404 without a body is the one answer that makes the reference's node register as new (rule 2)."""
    query = "?persistent-storage=true"
    for call in ("register", "ping"):
        with nothing_changes(css):
            reply = as_node(css, "PUT", f"{call}/o/edge/n1{query}")
            assert (reply.status, reply.body) == (404, b"")
    reply = as_node(css, "PUT", f"register-new/o/edge/n1{query}")
    assert (reply.status, reply.body) == (204, b"")
    for call in ("register", "ping", "register-new"):
        assert as_node(css, "PUT", f"{call}/o/edge/n1{query}").status == 204
    assert as_node(css, "PUT", "unregister/o/edge/n1").status == 204
    assert as_node(css, "PUT", f"ping/o/edge/n1{query}").status == 404
    assert as_node(css, "PUT", "unregister/o/edge/n1").status == 204


@pytest.mark.parametrize("path", ["register-new/", "register-new/x/other/node", "register-new/o/edge/n2/and/more"])
def test_identity_comes_from_the_headers_only(css: NodeUnderTest, path: str) -> None:
    """Rule 1: whatever the path says."""
    assert as_node(css, "PUT", path).status == 204

    assert [node["destinationID"] for node in css.call("GET", "/api/v1/destinations/o").json()] == ["n1"]
    assert css.call("GET", "/api/v1/destinations/x", actor="bob@x").status == 404


@pytest.mark.parametrize("value", ["maybe", "yes", "2", "TrUe"])
@pytest.mark.parametrize("call", ["register", "register-new"])
def test_a_malformed_flag_is_refused(css: NodeUnderTest, call: str, value: str) -> None:
    with nothing_changes(css):
        assert as_node(css, "PUT", f"{call}/o/edge/n1?persistent-storage={value}").status == 400


def test_capabilities_are_exchanged_at_registration(css: NodeUnderTest) -> None:
    """And on polls and pings; unknown ones of the node are fine, and a node without any gets plain answers."""
    offered = {"Sync-Capabilities": "wait, teleport, resume,,  digest "}
    for method, path in (("PUT", "register-new/"), ("PUT", "register/"), ("PUT", "ping/"), ("GET", "objects/")):
        reply = as_node(css, method, path, headers=offered)
        assert reply.status == 204
        assert {"wait", "resume"} <= {name.strip() for name in reply.headers["sync-capabilities"].split(",")}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "register/o/edge/n1", 405),
        ("POST", "register-new/", 405),
        ("DELETE", "ping/", 405),
        ("PUT", "objects/", 405),
        ("POST", "objects/", 405),
        ("HEAD", "objects/", 405),
        ("GET", "nonsense/", 404),
        ("PUT", "", 404),
        ("DELETE", message_path("data"), 405),
        ("POST", message_path("update"), 405),
        ("GET", message_path("update"), 405),
        ("PUT", message_path("nonsense"), 400),
        ("PUT", message_path("Update"), 400),
        ("PUT", message_path("ackdelete"), 400),
        ("PUT", message_path("update", instance="x"), 400),
        ("PUT", message_path("update", instance="-1"), 400),
        ("PUT", message_path("update", instance="1.0"), 400),
        ("PUT", message_path("update", instance="9" * 20), 400),
        ("PUT", message_path("update", data_id="x"), 400),
        ("PUT", message_path("received", instance=2**63), 400),
        ("GET", message_path("data", instance=2**63), 400),
        ("PUT", "objects/o/t/m1/update", 400),
        ("PUT", "objects/o/t/m1/1/2/3/update", 400),
        ("PUT", "objects/o/t", 400),
        ("PUT", message_path("update") + "/", 400),
        ("PUT", "objects//t/m1/1/1/update", 400),
    ],
)
def test_calls_that_are_none(css: NodeUnderTest, method: str, path: str, status: int) -> None:
    register(css)
    with nothing_changes(css):
        assert as_node(css, method, path, announcement()).status == status


def test_an_idle_poll_is_204(css: NodeUnderTest) -> None:
    register(css)

    reply = as_node(css, "GET", "objects/")
    assert (reply.status, reply.body) == (204, b"")


def test_an_unknown_node_polls_in_vain(css: NodeUnderTest) -> None:
    with nothing_changes(css):
        assert as_node(css, "GET", "objects/").status == 424


def test_a_poll_carries_updates_with_the_node_filled_in(css: NodeUnderTest) -> None:
    register(css)
    css.put(M1, b"x", destinationType="edge", version="1")

    reply = as_node(css, "GET", "objects/")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    [item] = reply.json()
    assert list(item) == ["Type", "MetaData"]
    shown = css.call("GET", M1).json()
    assert (item["Type"], item["MetaData"]) == ("update", shown | {"destinationID": "n1"})


def test_what_was_not_acknowledged_is_sent_again_but_throttled(css: NodeUnderTest) -> None:
    """Rule 8: a node that cannot acknowledge polls in a tight loop."""
    register(css)
    css.put(M1, b"x", destinationType="edge")
    assert len(poll(css)) == 1
    assert [poll(css) for _ in range(5)] == [[]] * 5
    assert as_node(css, "PUT", "register/?persistent-storage=true").status == 204

    assert [item["Type"] for item in poll(css)] == ["update"]
