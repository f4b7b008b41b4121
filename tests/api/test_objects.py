"""PUT, GET and DELETE of one object (rest-api 3.7 to 3.9) and its status (3.12)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_node import EDGE, announce, nothing_changes, poll, register, send_up

M1 = "/api/v1/objects/o/t/m1"
COPY = "/api/v1/objects/t/m1"

#: The worked example of rest-api 4.3 without the members this version refuses; the numbers vary.
SHOWN = {
    "objectID": "m1",
    "objectType": "t",
    "destinationOrgID": "o",
    "destinationID": "n1",
    "destinationType": "edge",
    "destinationsList": None,
    "destinationPolicy": None,
    "expiration": "",
    "version": "2.1.0",
    "description": "image model",
    "link": "",
    "inactive": False,
    "activationTime": "",
    "noData": False,
    "metaOnly": False,
    "destinationDataUri": "",
    "sourceDataUri": "",
    "consumers": 3,
    "autodelete": False,
    "originID": "Cloud",
    "originType": "Cloud",
    "deleted": False,
    "instanceID": ...,
    "dataID": ...,
    "objectSize": 11,
    "chunkSize": 5242880,
    "uploadChunkSize": 0,
    "hashAlgorithm": "SHA256",
    "publicKey": "",
    "signature": "",
    "public": False,
    "ownerID": "o/ann",
}


def status_of(node: NodeUnderTest, target: str = M1) -> str:
    reply = node.call("GET", f"{target}/status")
    assert reply.status == 200
    return reply.body.decode()


def meta_of(node: NodeUnderTest, target: str = M1) -> dict[str, Any]:
    meta: dict[str, Any] = node.call("GET", target).json()
    return meta


def test_an_object_is_shown_with_every_member_in_the_declared_order(css: NodeUnderTest) -> None:
    members = {"destinationType": "edge", "destinationID": "n1", "version": "2.1.0", "consumers": 3}
    reply = css.put(M1, b"hello world", description="image model", hashAlgorithm="SHA256", **members)

    assert (reply.status, reply.body) == (204, b"")
    assert "content-type" not in reply.headers
    shown = css.call("GET", M1)
    assert (shown.status, shown.headers["content-type"]) == (200, "application/json")
    meta = shown.json()
    assert list(meta) == list(SHOWN)
    assert meta == SHOWN | {"instanceID": meta["instanceID"], "dataID": meta["instanceID"]}
    assert meta["instanceID"] > 2**53


@pytest.mark.parametrize(
    ("data", "members", "status", "size"),
    [
        (b"hello", {}, "ready", 5),
        (b"", {}, "ready", 0),
        (b"x" * 5000, {}, "ready", 5000),
        (None, {}, "notReady", 0),
        (None, {"objectSize": 7, "dataID": 8}, "notReady", 7),
        (None, {"noData": True}, "ready", 0),
        (b"dropped", {"noData": True, "publicKey": "a2V5", "signature": "c2ln", "hashAlgorithm": "SHA1"}, "ready", 0),
        (None, {"link": "http://example.org/x?y=1&z=<2>"}, "ready", 0),
        (None, {"metaOnly": True}, "notReady", 0),
    ],
)
def test_what_comes_along_decides_the_status(
    css: NodeUnderTest, data: bytes | None, members: dict[str, Any], status: str, size: int
) -> None:
    assert css.put(M1, data, **members).status == 204

    assert status_of(css) == status
    assert meta_of(css)["objectSize"] == size
    has_data = status == "ready" and not members.keys() & {"noData", "link"}
    assert css.call("GET", f"{M1}/data").status == (200 if has_data else 404)


@pytest.mark.parametrize(("sent", "shown"), [(0, 1), (-1, 2147483647), (None, 1), (7, 7)])
def test_consumers_are_brought_into_range(css: NodeUnderTest, sent: int | None, shown: int) -> None:
    css.put(M1, b"x", consumers=sent)

    assert meta_of(css)["consumers"] == shown


def test_members_of_the_node_cannot_be_set(css: NodeUnderTest) -> None:
    """Also not the origin: FIX of rest-api 7.2."""
    forged = {"originType": "edge", "originID": "n1", "ownerID": "x/eve", "instanceID": -5, "chunkSize": 17}
    assert css.put(M1, b"abc", dataID=-6, objectSize=999, **forged).status == 204

    meta = meta_of(css)
    assert (meta["originType"], meta["originID"], meta["ownerID"]) == ("Cloud", "Cloud", "o/ann")
    assert meta["instanceID"] == meta["dataID"] > 0
    assert (meta["objectSize"], meta["chunkSize"]) == (3, 5242880)


def test_every_put_is_a_new_instance(css: NodeUnderTest) -> None:
    css.put(M1, b"one", version="1")
    first = meta_of(css)
    css.put(M1, b"two", version="2")

    second = meta_of(css)
    assert second["instanceID"] > first["instanceID"]
    assert (second["version"], second["dataID"]) == ("2", second["instanceID"])
    assert css.call("GET", f"{M1}/data").body == b"two"


def test_metadata_alone_replaces_the_data(css: NodeUnderTest) -> None:
    css.put(M1, b"old")
    css.put(M1)

    assert status_of(css) == "notReady"
    assert css.call("GET", f"{M1}/data").status == 404


def test_metaonly_keeps_the_data_and_its_size(css: NodeUnderTest) -> None:
    """FIX of rest-api 7.2: the size is kept, too."""
    css.put(M1, b"0123456789", hashAlgorithm="SHA1")
    before = meta_of(css)
    css.put(M1, metaOnly=True, description="new")

    after = meta_of(css)
    assert after["instanceID"] > before["instanceID"]
    for member in ("dataID", "objectSize", "hashAlgorithm"):
        assert after[member] == before[member]
    assert (status_of(css), css.call("GET", f"{M1}/data").body) == ("ready", b"0123456789")


def test_members_match_in_any_case_and_the_rest_is_tolerated(css: NodeUnderTest) -> None:
    """rest-api 1.5: unknown members, nulls, repeated members, text after the value."""
    body = (
        '{"META": {"OBJECTid": "m1", "objectType": "t", "version": "1", "VERSION": "2", "doNotSend": true, "link": null,'
        ' "description": "first", "description": "last", "destinationsList": null}, "Data": "aGVsbG8=", "more": [{}]} tail'
    )
    assert css.call("PUT", M1, body).status == 204

    meta = meta_of(css)
    assert (meta["version"], meta["description"], meta["link"]) == ("1", "last", "")
    assert css.call("GET", f"{M1}/data").body == b"hello"


def test_text_of_any_alphabet_comes_back(css: NodeUnderTest) -> None:
    text = 'модель 模型 \U0001f600 <1 & 2> "q" \\ \t é'.replace("<1", "< 1")
    css.put("/api/v1/objects/o/t/図_β٣.v1", b"x", description=text)

    assert css.call("GET", "/api/v1/objects/o/t/図_β٣.v1").json()["description"] == text


def test_a_missing_object_is_404_without_a_body(css: NodeUnderTest, ess: EdgeUnderTest) -> None:
    for rest in ("", "/status", "/data", "/destinations"):
        for node, target in ((css, M1), (ess, COPY)):
            reply = node.call("GET", target + rest)
            assert (reply.status, reply.body) == (404, b"")


def test_status_is_a_bare_word(css: NodeUnderTest) -> None:
    css.put(M1, b"x")

    reply = css.call("GET", f"{M1}/status")
    assert (reply.status, reply.headers["content-type"], reply.body) == (200, "plain/text", b"ready")


def test_deleting_without_destinations_removes_at_once(css: NodeUnderTest) -> None:
    css.put(M1, b"x" * 5000)

    reply = css.call("DELETE", M1)
    assert (reply.status, reply.body) == (204, b"")
    assert css.call("GET", M1).status == 404


def test_deleting_with_destinations_waits_for_their_acknowledgement(css: NodeUnderTest) -> None:
    """And a second DELETE keeps the news on its way: FIX of rest-api 7.2."""
    register(css)
    css.put(M1, b"x", destinationType="edge")
    assert [item["Type"] for item in poll(css)] == ["update"]
    for _ in range(2):
        assert css.call("DELETE", M1).status == 204
        assert (status_of(css), meta_of(css)["deleted"]) == ("objdeleted", True)
        assert css.call("GET", f"{M1}/data").status == 404

    assert css.put(M1, b"y").status == 400
    assert css.call("PUT", f"{M1}/data", b"y").status == 400
    assert [item["Type"] for item in poll(css)] == ["delete"]


def test_a_missing_object_cannot_be_deleted(css: NodeUnderTest, ess: EdgeUnderTest) -> None:
    on_cloud, on_edge = css.call("DELETE", M1), ess.call("DELETE", COPY)

    assert (on_cloud.status, on_cloud.body) == (404, b"")
    assert (on_edge.status, on_edge.body[-1:]) == (400, b"\n")


def test_an_edge_publishes_into_its_own_organization(ess: EdgeUnderTest) -> None:
    assert ess.put(COPY, b"up", ownerID="whoever/it is", destinationType="anything").status == 204

    meta = meta_of(ess, COPY)
    assert (meta["destinationOrgID"], meta["originType"], meta["originID"]) == ("o", "edge", "n1")
    assert meta["ownerID"] == "whoever/it is"
    assert status_of(ess, COPY) == "ready"
    assert ess.call("DELETE", COPY).status == 204
    assert status_of(ess, COPY) == "objdeleted"


def test_a_received_object_belongs_to_its_origin(css: NodeUnderTest, ess: EdgeUnderTest) -> None:
    send_up(css)
    ess.receive("m1")
    for node, target in ((css, M1), (ess, COPY)):
        with nothing_changes(node):
            for reply in (
                node.put(target, b"mine"),
                node.put(target, metaOnly=True),
                node.call("PUT", f"{target}/data", b"mine"),
                node.call("PUT", f"{target}/data", b"mine", headers={"content-range": "bytes 0-3/4"}),
            ):
                assert (reply.status, reply.body[-1:]) == (400, b"\n")
    with nothing_changes(ess):
        assert ess.call("DELETE", COPY).status == 400
    assert css.call("DELETE", M1).status == 204
    assert css.call("GET", M1).status == 404


def test_partial_and_complete_copies_have_their_words(css: NodeUnderTest, ess: EdgeUnderTest) -> None:
    announce(css)
    ess.hear_of("m1")
    for node, target in ((css, M1), (ess, COPY)):
        assert status_of(node, target) == "partiallyreceived"
        assert node.call("GET", f"{target}/data").status == 404
        assert node.call("GET", target).status == 200


def test_a_received_copy_names_the_node_it_came_from_or_to(css: NodeUnderTest, ess: EdgeUnderTest) -> None:
    send_up(css)
    ess.receive("m1")

    on_cloud, on_edge = meta_of(css), meta_of(ess, COPY)
    assert (on_cloud["destinationType"], on_cloud["destinationID"]) == (EDGE.type, EDGE.id)
    assert (on_cloud["originType"], on_cloud["originID"], on_cloud["ownerID"]) == (EDGE.type, EDGE.id, "o/n1")
    assert (on_edge["originType"], on_edge["originID"], on_edge["destinationID"]) == ("Cloud", "Cloud", EDGE.id)
    assert list(on_edge) == list(json.loads(json.dumps(on_cloud)))
