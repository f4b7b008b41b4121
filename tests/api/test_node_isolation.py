"""A node acts as itself, in its own organization, and on what is addressed to it or came from it (R7)."""

from __future__ import annotations

from typing import Any

import pytest

from common.domain.ids import NodeKey
from tests.support.node_under_test import NodeUnderTest
from tests.support.requests_node import (
    EDGE,
    FOREIGN_EDGE,
    INSTANCE,
    OTHER_EDGE,
    announce,
    announcement,
    as_node,
    message_path,
    nothing_changes,
    poll,
    register,
    send_up,
)

pytestmark = pytest.mark.parametrize("new_parts", ["sqlite"], indirect=True)

M1 = "/api/v1/objects/o/t/m1"
EVERY_ACTION = [
    "update", "updated", "delete", "ackDelete", "deleted", "ackDeleted", "consumed", "ackconsumed", "received",
    "ackreceived", "feedback", "data",
]  # fmt: skip


def is_denied(reply: Any) -> bool:
    return (reply.status, reply.body) == (403, b"Unauthorized")


def given_objects_both_ways(css: NodeUnderTest) -> int:
    """One object from the cloud for n1 and one from n1, complete; the instance of the former."""
    register(css, OTHER_EDGE)
    register(css, FOREIGN_EDGE)
    send_up(css, "up")
    css.put(M1, b"for n1", destinationType="edge", destinationID="n1")
    poll(css)
    instance: int = css.call("GET", M1).json()["instanceID"]
    return instance


#: Who claims which node with which key; only the node itself and an admin of its organization may.
CLAIMS = [
    ("o/edge/n1", "o/edge/n1", True),
    ("ann@o", "o/edge/n1", True),
    ("o/edge/n2", "o/edge/n1", False),
    ("x/edge/n1", "o/edge/n1", False),
    ("o/edge/n1", "x/edge/n1", False),
    ("o/edge/n1", "o/edge/n1/", False),
    ("o/edge/n1", "/o/edge/n1", False),
    ("o/edge/n1", "o/edge", False),
    ("o/edge/n1", "o//n1", False),
    ("o/edge/n1", "", False),
    ("o/edge/n1", "O/edge/n1", False),
    ("o/edge/n1", "o/edge/n1 ", True),  # surrounding blanks are no part of a header's value
    ("o/edge/n1", "o/edge/n1, o/edge/n2", False),
    ("bob@x", "o/edge/n1", False),
    ("root@o", "o/edge/n1", False),
    ("o/olga", "o/edge/n1", False),
    ("plain@o", "o/edge/n1", False),
    ("node7%o", "o/edge/n1", False),
    ("o$svc$1.0.0$camera", "o/edge/n1", False),
    ("nobody", "o/edge/n1", False),
]


@pytest.mark.parametrize(("actor", "claimed", "is_allowed"), CLAIMS)
def test_who_may_speak_for_a_node(css: NodeUnderTest, actor: str, claimed: str, is_allowed: bool) -> None:
    """The key decides; header and key have to agree."""
    register(css)
    calls = [("PUT", "register/"), ("PUT", "ping/"), ("GET", "objects/"), ("PUT", message_path("received"))]
    for method, path in calls:
        with nothing_changes(css):
            reply = css.call(
                method, f"/spi/v1/{path}", actor=actor, headers={"x-sync-service-dest": claimed.strip(" ")}
            )
        assert is_denied(reply) is not is_allowed, (method, path)


def test_a_node_without_the_header_is_denied(css: NodeUnderTest) -> None:
    assert is_denied(css.call("PUT", "/spi/v1/register/o/edge/n1", actor="o/edge/n1"))


def test_nobody_registers_as_the_cloud(css: NodeUnderTest) -> None:
    """Its objects would pass for the cloud's own."""
    cloud = NodeKey("o", "Cloud", "Cloud")
    for actor in ("o/Cloud/Cloud", "ann@o"):
        with nothing_changes(css):
            assert is_denied(as_node(css, "PUT", "register-new/", node=cloud, actor=actor))


@pytest.mark.parametrize("action", EVERY_ACTION)
def test_no_message_reaches_another_organization_by_its_path(css: NodeUnderTest, action: str) -> None:
    instance = given_objects_both_ways(css)
    for object_id, number in (("m1", instance), ("up", INSTANCE)):
        path = message_path(action, object_id, org="o", instance=number, data_id=number)
        with nothing_changes(css):
            body = announcement(object_id, node=FOREIGN_EDGE, instanceID=number) | {"Code": 1}
            assert is_denied(as_node(css, "PUT", path, body, node=FOREIGN_EDGE))
            assert is_denied(as_node(css, "GET", message_path("data", object_id, instance=number), node=FOREIGN_EDGE))


@pytest.mark.parametrize("action", ["update", "delete"])
@pytest.mark.parametrize(
    "members",
    [
        {"destinationOrgID": "x"},
        {"objectType": "u"},
        {"objectID": "m2"},
        {"originID": "n2"},
        {"originType": "other"},
        {"originType": "Cloud", "originID": "Cloud"},
        {"originType": "", "originID": ""},
        {"instanceID": INSTANCE + 1},
        {"instanceID": 0},
        {"objectSize": -1},
    ],
    ids=str,
)
def test_a_body_that_disagrees_with_path_or_caller_is_refused(
    css: NodeUnderTest, action: str, members: dict[str, Any]
) -> None:
    send_up(css)
    with nothing_changes(css):
        reply = as_node(css, "PUT", message_path(action), announcement() | members)
        assert reply.status in (400, 403)
        assert reply.body.strip()


def test_what_the_body_says_about_owner_and_destination_does_not_count(css: NodeUnderTest) -> None:
    send_up(
        css,
        "m1",
        ownerID="x/eve",
        destinationType="edge",
        destinationID="n2",
        destinationsList=["edge:n2"],
    )
    register(css, OTHER_EDGE)

    meta = css.call("GET", M1).json()
    assert (meta["ownerID"], meta["destinationType"], meta["destinationID"]) == ("o/n1", "edge", "n1")
    assert meta["destinationsList"] is None
    assert poll(css, OTHER_EDGE) == []
    assert css.call("GET", M1, actor="bob@x").status == 403


@pytest.mark.parametrize("action", EVERY_ACTION)
def test_no_node_speaks_for_its_neighbour(css: NodeUnderTest, action: str) -> None:
    """Neither about the neighbour's deliveries nor about its objects."""
    instance = given_objects_both_ways(css)
    for object_id, number in (("m1", instance), ("up", INSTANCE)):
        path = message_path(action, object_id, instance=number, data_id=number)
        body = announcement(object_id, node=OTHER_EDGE, instanceID=number) | {"Code": 1}
        with nothing_changes(css):
            reply = as_node(css, "PUT", path, b"0123456789" if action == "data" else body, node=OTHER_EDGE)
            assert reply.status in (403, 404, 409)


def test_no_node_takes_over_its_neighbours_object(css: NodeUnderTest) -> None:
    given_objects_both_ways(css)
    newer = announcement("up", node=OTHER_EDGE, instanceID=INSTANCE + 9)
    with nothing_changes(css):
        for action in ("update", "delete"):
            path = message_path(action, "up", instance=INSTANCE + 9)
            assert as_node(css, "PUT", path, newer, node=OTHER_EDGE).status == 409


def test_no_node_reads_what_is_not_addressed_to_it(css: NodeUnderTest) -> None:
    instance = given_objects_both_ways(css)
    path = message_path("data", instance=instance, data_id=instance)
    assert as_node(css, "GET", path).body == b"for n1"
    for node in (OTHER_EDGE, FOREIGN_EDGE):
        reply = as_node(css, "GET", path, node=node)
        assert reply.status in (403, 404)
        assert b"for n1" not in reply.body
    # Its own objects in the cloud are the applications' there, not the node's.
    assert as_node(css, "GET", message_path("data", "up")).status == 404


def test_polls_and_lists_are_kept_apart(css: NodeUnderTest) -> None:
    register(css)
    for node in (OTHER_EDGE, FOREIGN_EDGE):
        register(css, node)
    css.put(M1, b"x", destinationType="edge", destinationID="n1")

    assert poll(css, OTHER_EDGE) == poll(css, FOREIGN_EDGE) == []
    assert len(poll(css, EDGE)) == 1
    assert css.call("GET", "/api/v1/objects/x/t?all_objects=true", actor="bob@x").status == 404


def test_the_same_names_in_two_organizations_are_two_objects(css: NodeUnderTest) -> None:
    register(css, FOREIGN_EDGE)
    send_up(css, "up", b"theirs in o")
    path = message_path("update", "up", org="x")
    assert as_node(css, "PUT", path, announcement("up", node=FOREIGN_EDGE, size=6), node=FOREIGN_EDGE).status == 204
    assert as_node(css, "PUT", message_path("data", "up", org="x"), b"in x!!", node=FOREIGN_EDGE).status == 204

    assert css.call("GET", "/api/v1/objects/o/t/up/data").body == b"theirs in o"
    assert css.call("GET", "/api/v1/objects/x/t/up/data", actor="bob@x").body == b"in x!!"


def test_another_organization_in_the_body_of_an_application(css: NodeUnderTest) -> None:
    """FIX of rest-api 1.1."""
    for path_org, body_org in (("o", "x"), ("o", "X"), ("o", " o"), ("o", "o/../x")):
        body = {"meta": {"objectID": "m1", "objectType": "t", "destinationOrgID": body_org}, "data": "eA=="}
        with nothing_changes(css):
            assert css.call("PUT", f"/api/v1/objects/{path_org}/t/m1", body).status == 400


@pytest.mark.parametrize("action", ["update", "received"])
def test_a_node_is_no_application_and_an_application_is_no_node(css: NodeUnderTest, action: str) -> None:
    announce(css)
    with nothing_changes(css):
        for method, rest in (("GET", ""), ("GET", "/data"), ("PUT", ""), ("DELETE", ""), ("PUT", "/consumed")):
            assert is_denied(css.call(method, M1 + rest, actor="o/edge/n1"))
        assert is_denied(css.call("GET", "/api/v1/destinations/o", actor="o/edge/n1"))
        assert is_denied(as_node(css, "PUT", message_path(action), announcement(), actor="plain@o"))
