"""What applications say about received objects: received, consumed, deleted (rest-api 3.15)."""

from __future__ import annotations

import pytest

from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_node import INSTANCE, announcement, as_node, message_path, nothing_changes, poll, send_up

M1 = "/api/v1/objects/o/t/m1"
COPY = "/api/v1/objects/t/m1"
MARKS = ["received", "consumed", "deleted"]


def status_of(node: NodeUnderTest, target: str) -> str | None:
    reply = node.call("GET", f"{target}/status")
    return reply.body.decode() if reply.status == 200 else None


def mark(node: NodeUnderTest, target: str, operation: str) -> int:
    """The status; a refusal says why in one line."""
    reply = node.call("PUT", f"{target}/{operation}", b"any body is ignored")
    assert reply.body == b"" if reply.status == 204 else reply.body.endswith(b"\n")
    return reply.status


def test_received_hides_and_keeps(ess: EdgeUnderTest) -> None:
    ess.receive("m1")
    assert mark(ess, COPY, "received") == 204

    assert status_of(ess, COPY) == "objreceived"
    assert ess.call("GET", f"{COPY}/data").body == b"payload"
    assert mark(ess, COPY, "received") == 204
    assert status_of(ess, COPY) == "objreceived"


def test_received_takes_as_many_calls_as_there_are_consumers(ess: EdgeUnderTest) -> None:
    ess.receive("m1", consumers=2)
    mark(ess, COPY, "received")
    assert status_of(ess, COPY) == "completelyReceived"
    mark(ess, COPY, "received")
    assert status_of(ess, COPY) == "objreceived"


@pytest.mark.parametrize("after_received", [False, True])
def test_consumed_ends_the_copy(ess: EdgeUnderTest, after_received: bool) -> None:
    ess.receive("m1", consumers=1)
    if after_received:
        mark(ess, COPY, "received")
    assert mark(ess, COPY, "consumed") == 204

    assert status_of(ess, COPY) == "objconsumed"
    with nothing_changes(ess):
        assert [mark(ess, COPY, operation) for operation in MARKS] == [400, 400, 400]


def test_consumed_takes_as_many_calls_as_there_are_consumers(ess: EdgeUnderTest) -> None:
    ess.receive("m1", consumers=3)
    seen = [(mark(ess, COPY, "consumed"), status_of(ess, COPY)) for _ in range(3)]

    assert seen == [(204, "completelyReceived"), (204, "completelyReceived"), (204, "objconsumed")]


@pytest.mark.parametrize("operation", ["received", "consumed"])
def test_unlimited_consumers_never_end(ess: EdgeUnderTest, operation: str) -> None:
    ess.receive("m1", consumers=2147483647)
    for _ in range(3):
        assert mark(ess, COPY, operation) == 204

    assert status_of(ess, COPY) == "completelyReceived"


@pytest.mark.parametrize("consumers", [-2, -(2**63), 2**63 - 1])
def test_a_count_at_the_edge_of_its_range_never_ends(ess: EdgeUnderTest, consumers: int) -> None:
    ess.receive("m1", consumers=consumers)
    assert [mark(ess, COPY, operation) for operation in ("received", "consumed")] == [204, 204]
    assert status_of(ess, COPY) == "completelyReceived"

    ess.lose("m1", instance_id=2, consumers=consumers)
    assert (mark(ess, COPY, "deleted"), status_of(ess, COPY)) == (204, "objdeleted")


def test_a_newer_instance_restarts_the_counters(ess: EdgeUnderTest) -> None:
    ess.receive("m1", consumers=2)
    mark(ess, COPY, "consumed")
    ess.receive("m1", b"newer", instance_id=2, consumers=2)
    mark(ess, COPY, "consumed")

    assert status_of(ess, COPY) == "completelyReceived"


def test_deleted_confirms_a_deletion(ess: EdgeUnderTest) -> None:
    ess.receive("m1", consumers=2)
    mark(ess, COPY, "consumed")
    ess.lose("m1", instance_id=2, consumers=2)
    assert ess.call("GET", COPY).json()["deleted"] is True
    with nothing_changes(ess):
        assert [mark(ess, COPY, operation) for operation in ("received", "consumed")] == [400, 400]

    assert (mark(ess, COPY, "deleted"), status_of(ess, COPY)) == (204, "objdeleted")
    assert (mark(ess, COPY, "deleted"), status_of(ess, COPY)) == (204, None)
    assert mark(ess, COPY, "deleted") == 400


@pytest.mark.parametrize("operation", MARKS)
def test_what_cannot_be_marked(css: NodeUnderTest, ess: EdgeUnderTest, operation: str) -> None:
    """Missing, own and partial objects are 400, not 404 (rest-api 7.1)."""
    css.put("/api/v1/objects/o/t/own", b"x")
    ess.put("/api/v1/objects/t/own", b"x")
    ess.hear_of("partial")
    for node, prefix in ((css, "/api/v1/objects/o/t"), (ess, "/api/v1/objects/t")):
        with nothing_changes(node):
            for name in ("missing", "own", "partial"):
                assert mark(node, f"{prefix}/{name}", operation) == 400


def test_a_received_object_is_not_deleted_yet(ess: EdgeUnderTest) -> None:
    ess.receive("m1")
    with nothing_changes(ess):
        assert mark(ess, COPY, "deleted") == 400


def test_the_cloud_consumes_what_an_edge_sent(css: NodeUnderTest) -> None:
    send_up(css)
    assert [item["Type"] for item in poll(css)] == ["received"]
    assert mark(css, M1, "received") == 204
    assert status_of(css, M1) == "objreceived"
    assert mark(css, M1, "consumed") == 204
    assert status_of(css, M1) == "objconsumed"

    [told] = poll(css)
    assert (told["Type"], told["MetaData"]["instanceID"]) == ("consumed", INSTANCE)
    assert as_node(css, "PUT", message_path("ackconsumed")).status == 204
    assert status_of(css, M1) is None
    assert poll(css) == []


def test_the_cloud_confirms_a_deletion_of_the_edge(css: NodeUnderTest) -> None:
    send_up(css)
    meta = announcement(deleted=True)
    assert as_node(css, "PUT", message_path("delete"), meta).status == 204
    assert status_of(css, M1) == "objdeleted"
    assert css.call("GET", f"{M1}/data").status == 404
    assert mark(css, M1, "deleted") == 204

    assert status_of(css, M1) is None
    assert [item["Type"] for item in poll(css)] == ["deleted"]
    assert as_node(css, "PUT", message_path("ackDeleted")).status == 204
    assert poll(css) == []
