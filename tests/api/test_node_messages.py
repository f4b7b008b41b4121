"""Messages of edges about objects in both directions, as our cloud has to answer them (wire-protocol 0.1, 2.6, 2.9)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.node_under_test import NodeUnderTest
from tests.support.requests_node import (
    EDGE,
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

M1 = "/api/v1/objects/o/t/m1"


def status_at(css: NodeUnderTest, node_id: str = "n1", target: str = M1) -> str | None:
    reply = css.call("GET", f"{target}/destinations")
    found = {item["destinationID"]: item["status"] for item in reply.json()} if reply.status == 200 else {}
    return found.get(node_id)


def instance_of(css: NodeUnderTest, target: str = M1) -> int:
    instance: int = css.call("GET", target).json()["instanceID"]
    return instance


def tell(css: NodeUnderTest, action: str, instance: int | str, body: Any = b"", **options: Any) -> int:
    path = message_path(action, instance=instance, data_id=instance)
    reply = as_node(css, "PUT", path, body, **options)
    assert reply.body == b"" if reply.status == 204 else True
    return reply.status


def test_a_delivery_from_announcement_to_consumption(css: NodeUnderTest) -> None:
    register(css)
    css.put(M1, b"x", destinationType="edge")
    poll(css)
    instance = instance_of(css)

    for action, status in (("updated", "delivering"), ("received", "delivered"), ("consumed", "consumed")):
        for _ in range(2):  # a repeat is answered alike and changes nothing
            assert tell(css, action, instance) in (204, 409)
            assert status_at(css) == status
    assert tell(css, "received", instance) in (204, 409)
    assert status_at(css) == "consumed"
    assert poll(css) == []


@pytest.mark.parametrize("action", ["updated", "received", "consumed", "ackDelete", "deleted", "feedback"])
def test_an_answer_about_another_instance_is_409(css: NodeUnderTest, action: str) -> None:
    """Rule 4: 409 says "stale, forget it"; anything else would be repeated without a pause."""
    register(css)
    css.put(M1, b"x", destinationType="edge")
    poll(css)
    old = instance_of(css)
    css.put(M1, b"y", destinationType="edge")
    body = {"Code": 1, "RetryInterval": 0, "Reason": "old"} if action == "feedback" else b""
    with nothing_changes(css):
        for instance in (old, old + 10**6, 0):
            assert tell(css, action, instance, body) == 409
    assert status_at(css) == "delivering"


@pytest.mark.parametrize("action", ["updated", "received", "consumed", "ackDelete", "deleted"])
def test_an_answer_about_nothing_is_409(css: NodeUnderTest, action: str) -> None:
    for is_registered in (False, True):
        if is_registered:
            register(css)
        with nothing_changes(css):
            assert tell(css, action, INSTANCE) == 409


@pytest.mark.parametrize("action", ["ackconsumed", "ackreceived", "ackDeleted"])
def test_an_acknowledgement_of_nothing_is_409(css: NodeUnderTest, action: str) -> None:
    register(css)
    with nothing_changes(css):
        assert tell(css, action, INSTANCE) == 409
    announce(css)
    with nothing_changes(css):
        assert tell(css, action, INSTANCE) == 409


def test_a_deletion_is_delivered_and_acknowledged(css: NodeUnderTest) -> None:
    register(css)
    register(css, OTHER_EDGE)
    css.put(M1, b"x", destinationType="edge")
    for node in (EDGE, OTHER_EDGE):
        poll(css, node)
    instance = instance_of(css)
    css.call("DELETE", M1)
    for node in (EDGE, OTHER_EDGE):
        [item] = poll(css, node)
        assert (item["Type"], item["MetaData"]["deleted"]) == ("delete", True)
        assert item["MetaData"]["instanceID"] >= instance
    deleted = instance_of(css)
    assert tell(css, "ackDelete", deleted) == 204
    assert status_at(css) == "deleted"
    assert tell(css, "ackDelete", deleted) in (204, 409)
    assert tell(css, "ackDelete", deleted, node=OTHER_EDGE) == 204

    assert css.call("GET", M1).status == 404
    assert tell(css, "deleted", deleted, announcement(deleted=True)) in (204, 409)


def test_five_path_parts_are_enough(css: NodeUnderTest) -> None:
    register(css)
    css.put(M1, b"x", destinationType="edge")
    poll(css)

    assert as_node(css, "PUT", f"objects/o/t/m1/{instance_of(css)}/received").status == 204
    assert status_at(css) == "delivered"


@pytest.mark.parametrize(
    ("feedback", "word", "message"),
    [
        ({"Code": 1, "RetryInterval": 0, "Reason": "internal"}, "error", "internal"),
        ({"Code": 9999}, "error", ""),
        ({"Code": 10000, "Reason": "just so you know"}, "delivering", ""),
        ({"Code": 3, "Reason": "x" * 5000, "Unknown": 1}, "error", "x" * 1000),
        ({"Code": 2, "RetryInterval": -5, "Reason": "r"}, "error", "r"),
    ],
)
def test_feedback_shows_as_an_error(css: NodeUnderTest, feedback: dict[str, Any], word: str, message: str) -> None:
    register(css)
    css.put(M1, b"x", destinationType="edge")
    poll(css)
    assert tell(css, "feedback", instance_of(css), feedback) == 204

    [shown] = css.call("GET", f"{M1}/destinations").json()
    assert (shown["status"], shown["message"]) == (word, message)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b'{"Code": "1"}',
        b'{"Reason": "x"}',
        b'{"Code": 1, "Reason": 1}',
        b"[" * 100_000,
    ],
)
def test_malformed_feedback_is_refused(css: NodeUnderTest, body: bytes) -> None:
    register(css)
    css.put(M1, b"x", destinationType="edge")
    poll(css)
    with nothing_changes(css):
        assert tell(css, "feedback", instance_of(css), body) == 400


def test_the_cloud_says_that_it_received(css: NodeUnderTest) -> None:
    """Rule 13, until acknowledged."""
    send_up(css)
    [item] = poll(css)
    assert (item["Type"], item["MetaData"]["objectID"], item["MetaData"]["instanceID"]) == ("received", "m1", INSTANCE)
    as_node(css, "PUT", "register/")
    assert [item["Type"] for item in poll(css)] == ["received"]
    assert tell(css, "ackreceived", INSTANCE) == 204
    as_node(css, "PUT", "register/")

    assert poll(css) == []


def test_updates_of_an_edge_arrive_once_and_never_go_back(css: NodeUnderTest) -> None:
    send_up(css, "m1", b"0123456789", version="2")
    before = css.call("GET", M1).json()
    assert tell(css, "update", INSTANCE, announcement(version="2")) in (204, 409)
    assert css.call("GET", M1).json() == before
    with nothing_changes(css):
        older = announcement(version="1", instanceID=INSTANCE - 1, dataID=INSTANCE - 1)
        assert tell(css, "update", INSTANCE - 1, older) == 409
        assert tell(css, "data", INSTANCE - 1, b"9876543210") == 409
    newer = announcement(version="3", instanceID=INSTANCE + 1, dataID=INSTANCE + 1)
    assert tell(css, "update", INSTANCE + 1, newer) == 204

    # The previous version stays readable until the new one is complete.
    assert css.call("GET", f"{M1}/data").body == b"0123456789"
    assert tell(css, "data", INSTANCE + 1, b"newer data") == 204
    assert (css.call("GET", M1).json()["version"], css.call("GET", f"{M1}/data").body) == ("3", b"newer data")


@pytest.mark.parametrize("members", [{"noData": True}, {"link": "http://x"}, {"size": 0}])
def test_an_object_without_data_is_complete_at_once(css: NodeUnderTest, members: dict[str, Any]) -> None:
    register(css)
    assert tell(css, "update", INSTANCE, announcement(**members)) == 204

    assert css.call("GET", f"{M1}/status").body == b"completelyReceived"
    assert [item["Type"] for item in poll(css)] == ["received"]


def test_an_edge_cannot_update_or_delete_what_the_cloud_owns(css: NodeUnderTest) -> None:
    register(css)
    css.put(M1, b"ours", destinationType="nowhere")
    for action in ("update", "delete"):
        with nothing_changes(css):
            assert tell(css, action, INSTANCE, announcement()) == 409
    with nothing_changes(css):
        assert tell(css, "data", INSTANCE, b"0123456789") == 409


def test_a_deletion_of_something_unknown_is_fine_and_only_remembered(css: NodeUnderTest) -> None:
    register(css)
    assert tell(css, "delete", INSTANCE, announcement(deleted=True)) == 204
    with nothing_changes(css):
        assert tell(css, "update", INSTANCE - 1, announcement(instanceID=INSTANCE - 1)) == 409
    assert css.holdings().rows["objects"] == []


def test_an_update_of_an_unregistered_node_is_409(css: NodeUnderTest) -> None:
    """Rule 3: 424 would provoke a storm; its poll tells the node to register."""
    with nothing_changes(css):
        assert tell(css, "update", INSTANCE, announcement()) == 409


def test_a_node_that_leaves_is_owed_nothing(css: NodeUnderTest) -> None:
    register(css)
    css.put(M1, b"x", destinationType="edge")
    as_node(css, "PUT", "unregister/")

    assert status_at(css) is None
    assert css.call("DELETE", M1).status == 204
    assert css.call("GET", M1).status == 404
