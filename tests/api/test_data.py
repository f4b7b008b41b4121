"""GET and PUT of an object's data, whole, by range and in pieces (rest-api 3.10, 3.11)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_asgi import Reply
from tests.support.requests_node import nothing_changes

M1 = "/api/v1/objects/o/t/m1"
COPY = "/api/v1/objects/t/m1"
TEN = b"0123456789"
#: More than the nodes under test keep in a row: this goes through the payload store.
LARGE = bytes(range(256)) * 20


def get_range(node: NodeUnderTest, value: str, target: str = M1) -> Reply:
    return node.call("GET", f"{target}/data", headers={"range": value})


def put_piece(node: NodeUnderTest, content_range: str, piece: bytes, target: str = M1) -> Reply:
    return node.call("PUT", f"{target}/data", piece, headers={"content-range": content_range})


def status_of(node: NodeUnderTest, target: str = M1) -> str:
    return node.call("GET", f"{target}/status").body.decode()


@pytest.mark.parametrize("data", [b"", TEN, LARGE], ids=["nothing", "small", "large"])
def test_data_comes_back_byte_for_byte(css: NodeUnderTest, data: bytes) -> None:
    css.put(M1)
    assert css.call("PUT", f"{M1}/data", data).status == 204

    reply = css.call("GET", f"{M1}/data")
    assert (reply.status, reply.headers["content-type"], reply.body) == (200, "application/octet-stream", data)
    assert reply.headers["content-length"] == str(len(data))
    assert "content-range" not in reply.headers


def test_data_makes_a_new_instance_every_time(css: NodeUnderTest) -> None:
    css.put(M1, metaOnly=True, description="kept")
    seen = [css.call("GET", M1).json()]
    for data in (TEN, TEN, LARGE):
        css.call("PUT", f"{M1}/data", data)
        seen.append(css.call("GET", M1).json())

    instances = [meta["instanceID"] for meta in seen]
    assert instances == sorted(set(instances))
    assert [meta["dataID"] for meta in seen[1:]] == instances[1:]
    assert [meta["objectSize"] for meta in seen[1:]] == [10, 10, len(LARGE)]
    assert (seen[-1]["description"], seen[-1]["metaOnly"]) == ("kept", True)
    assert status_of(css) == "ready"


def test_data_in_chunked_coding_is_taken(css: NodeUnderTest) -> None:
    css.put(M1)
    pieces = [LARGE[at : at + 700] for at in range(0, len(LARGE), 700)]
    assert css.call("PUT", f"{M1}/data", pieces).status == 204

    assert css.call("GET", f"{M1}/data").body == LARGE


def test_content_coding_is_not_looked_at(css: NodeUnderTest) -> None:
    css.put(M1)
    css.call("PUT", f"{M1}/data", TEN, headers={"content-encoding": "gzip", "content-type": "text/html"})

    assert css.call("GET", f"{M1}/data", headers={"accept-encoding": "gzip"}).body == TEN


def test_metadata_has_to_come_first(css: NodeUnderTest, ess: EdgeUnderTest) -> None:
    for node, target in ((css, M1), (ess, COPY)):
        with nothing_changes(node):
            for headers in ({}, {"content-range": "bytes 0-9/10"}):
                reply = node.call("PUT", f"{target}/data", TEN, headers=headers)
                assert (reply.status, reply.body) == (404, b"")


@pytest.mark.parametrize("headers", [{}, {"content-range": "bytes 0-9/10"}], ids=["whole", "piece"])
def test_an_object_without_data_takes_none(css: NodeUnderTest, headers: dict[str, str]) -> None:
    css.put(M1, noData=True)
    with nothing_changes(css):
        reply = css.call("PUT", f"{M1}/data", TEN, headers=headers)
        assert (reply.status, reply.body[-1:]) == (400, b"\n")


@pytest.mark.parametrize(
    ("value", "status", "content_range", "body"),
    [
        ("bytes=0-3", 206, "bytes 0-3/10", b"0123"),
        ("bytes=9-9", 206, "bytes 9-9/10", b"9"),
        ("bytes=1-9", 206, "bytes 1-9/10", b"123456789"),
        ("bytes=7-11", 206, "bytes 7-9/10", b"789"),
        ("bytes=8-20", 206, "bytes 8-9/10", b"89"),
        ("bytes=1-9223372036854775807", 206, "bytes 1-9/10", b"123456789"),
        ("bytes=0-9", 200, None, TEN),
        ("bytes=0-100", 200, None, TEN),
        ("bytes=0-9999999999999999999", 200, None, TEN),
        ("bytes=10-12", 404, None, b""),
        ("bytes=9999999999999999999-9999999999999999999", 404, None, b""),
    ],
)
@pytest.mark.parametrize("size", ["small", "large"])
def test_a_range_gives_that_part(
    css: NodeUnderTest, size: str, value: str, status: int, content_range: str | None, body: bytes
) -> None:
    """The FIX of every row of rest-api 3.10 included: never more or other bytes than the object has."""
    css.put(M1, TEN)
    if size == "large":
        css.parts.payloads  # the same rows, read from the payload store
        css.put(M1, TEN * 200)
        value, content_range, body, status = _scaled(value, content_range, body, status)

    reply = get_range(css, value)
    assert (reply.status, reply.headers.get("content-range"), reply.body) == (status, content_range, body)
    if status == 206:
        assert reply.headers["content-length"] == str(len(body))
        assert reply.headers["content-type"] == "application/octet-stream"


def _scaled(value: str, content_range: str | None, body: bytes, status: int) -> tuple[str, str | None, bytes, int]:
    """The row of a 10-byte object for one of 2,000 bytes with the same repeating content."""
    if content_range is None:
        if status == 200:
            first, _, last = value.partition("-")
            if int(last) == 9:
                return "bytes=0-1999", None, TEN * 200, 200
            if int(last) == 100:
                return "bytes=0-2000", None, TEN * 200, 200
            return value, None, TEN * 200, 200
        return value.replace("10-12", "2000-2002"), None, body, status
    start = int(content_range.split()[1].split("-")[0])
    wanted_end = int(value.split("-")[1])
    end = min(wanted_end, 1999)
    return value, f"bytes {start}-{end}/2000", (TEN * 200)[start : end + 1], 206


MALFORMED_RANGES = [
    "bytes=5-", "bytes=-5", "bytes=5-3", "bytes=0-1,4-5", "bytes=0-1, 4-5", "bytes=a-b", "bytes=1-b", "bytes=", "bytes=-",
    "bytes=--", "bytes", "0-1", "1", "=", "-", "bytes=-1-5", "bytes=1--5", "bytes=+1-5", "bytes=0x1-5", "bytes=1.0-5",
    "bytes=1-5-7", "bytes=1-5/10", "bytes=1 2-5", "bytes=٣-٥".encode().decode("latin-1"), "bytes=" + "9" * 20 + "-" + "9" * 20,
    "bytes=" + "1" * 5000 + "-" + "1" * 5000, "bytes 0-3", "bytes=0-3;", "bytes=0-3 x", "b\x00s=0-3",
]  # fmt: skip


@pytest.mark.parametrize("value", MALFORMED_RANGES, ids=lambda value: value[:24].encode("unicode_escape").decode())
def test_a_malformed_range_is_refused_and_leaks_nothing(css: NodeUnderTest, value: str) -> None:
    css.put(M1, TEN)

    reply = get_range(css, value)
    assert reply.status == 400
    assert reply.body.count(b"\n") == 1
    assert reply.body.endswith(b"\n")
    assert TEN not in reply.body


def test_an_empty_object_has_no_parts(css: NodeUnderTest) -> None:
    css.put(M1, b"")

    assert get_range(css, "bytes=0-0").status == 404
    assert css.call("GET", f"{M1}/data").status == 200


def test_a_range_of_a_received_object(css: NodeUnderTest, ess: EdgeUnderTest) -> None:
    ess.receive("m1", TEN)

    reply = get_range(ess, "bytes=2-4", COPY)
    assert (reply.status, reply.headers["content-range"], reply.body) == (206, "bytes 2-4/10", b"234")


def test_ranged_downloads_beyond_the_limit_are_429(css: NodeUnderTest) -> None:
    """Whole downloads are not limited, and a slot comes back whatever became of the download."""
    css.put(M1, LARGE)
    slots = css.doorway  # the limit is the machine's: CPUs times the multiplier
    assert slots is not None
    for _ in range(200):
        assert get_range(css, "bytes=1-2").status == 206
    for _ in range(200):
        assert get_range(css, "bytes=99999-100000").status == 404
    assert get_range(css, "bytes=1-2").status == 206


PIECES = [("bytes 0-3/10", b"0123"), ("bytes 4-7/10", b"4567"), ("bytes 8-9/10", b"89")]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 1, 0, 0, 2), (2, 0, 2, 1)])
def test_pieces_complete_in_any_order(css: NodeUnderTest, order: tuple[int, ...]) -> None:
    """FIX of rest-api 3.11: on every store, in any order, repeated or not."""
    css.put(M1)
    owners = set()
    for index in order:
        assert status_of(css) == "notReady"
        reply = put_piece(css, *PIECES[index])
        assert (reply.status, reply.body) == (204, b"")
        owners.add(reply.headers["mms-upload-owner"])

    assert len(owners) == 1
    assert "" not in owners
    assert status_of(css) == "ready"
    meta = css.call("GET", M1).json()
    assert (meta["objectSize"], meta["uploadChunkSize"], meta["dataID"]) == (10, 4, meta["instanceID"])
    assert css.call("GET", f"{M1}/data").body == TEN


@pytest.mark.parametrize("content_range", ["bytes 0-9/10", "0-9/10", " bytes  0-9/10 ", "BYTES 0-9/10"])
def test_one_piece_may_be_everything(css: NodeUnderTest, content_range: str) -> None:
    css.put(M1)
    assert put_piece(css, content_range, TEN).status == 204

    assert (status_of(css), css.call("GET", f"{M1}/data").body) == ("ready", TEN)


def test_pieces_of_a_large_object_in_chunked_coding(css: NodeUnderTest) -> None:
    css.put(M1)
    half = len(LARGE) // 2
    for start, end in ((half, len(LARGE)), (0, half)):
        pieces = [LARGE[at : min(at + 999, end)] for at in range(start, end, 999)]
        header = {"content-range": f"bytes {start}-{end - 1}/{len(LARGE)}"}
        assert css.call("PUT", f"{M1}/data", pieces, headers=header).status == 204

    assert css.call("GET", f"{M1}/data").body == LARGE


def test_the_previous_data_stays_until_the_last_piece(css: NodeUnderTest) -> None:
    css.put(M1, b"previous")
    before = css.call("GET", M1).json()
    for piece in PIECES[:2]:
        put_piece(css, *piece)
        assert (css.call("GET", M1).json(), css.call("GET", f"{M1}/data").body) == (before, b"previous")
    put_piece(css, *PIECES[2])

    assert css.call("GET", f"{M1}/data").body == TEN


def test_a_whole_upload_overtakes_pieces(css: NodeUnderTest) -> None:
    """And leaves no stale bytes behind the new ones: FIX of rest-api 3.11."""
    css.put(M1)
    put_piece(css, *PIECES[0])
    put_piece(css, *PIECES[1])
    css.call("PUT", f"{M1}/data", b"whole")

    assert (status_of(css), css.call("GET", f"{M1}/data").body) == ("ready", b"whole")
    put_piece(css, *PIECES[2])
    assert css.call("GET", f"{M1}/data").body == b"whole"


def test_another_total_starts_over(css: NodeUnderTest) -> None:
    css.put(M1)
    put_piece(css, *PIECES[0])
    put_piece(css, "bytes 4-7/8", b"EFGH")
    assert status_of(css) == "notReady"
    put_piece(css, "bytes 0-3/8", b"ABCD")

    assert css.call("GET", f"{M1}/data").body == b"ABCDEFGH"


def test_an_edge_takes_pieces_too(ess: EdgeUnderTest) -> None:
    ess.put(COPY)
    for piece in PIECES:
        assert put_piece(ess, *piece, target=COPY).headers["mms-upload-owner"]

    assert (status_of(ess, COPY), ess.call("GET", f"{COPY}/data").body) == ("ready", TEN)


MALFORMED_CONTENT_RANGES = [
    "bytes 0-3", "bytes 0-3/", "bytes 0-3/*", "bytes */10", "bytes */*", "bytes 3-0/10", "bytes 0-10/10", "bytes 10-10/10",
    "bytes 0-0/0", "bytes -3/10", "bytes 0-/10", "bytes -1-3/10", "bytes 0--3/10", "bytes 0-3/-10", "bytes a-b/c", "bytes",
    "", "/", "-/", "0-3", "bytes=0-3/10", "items 0-3/10", "bytes 0-3/10/10", "bytes 0-3,4-5/10", "bytes 0-3/10, 4-5/10",
    "bytes 0x0-3/10", "bytes 0.0-3/10", "bytes +0-3/10", "bytes 0-3/" + "9" * 20, "bytes 0-3/10 x",
    "bytes 0-" + "9" * 5000 + "/10", "bytes 9223372036854775807-9223372036854775808/9223372036854775809",
]  # fmt: skip


@pytest.mark.parametrize("value", MALFORMED_CONTENT_RANGES, ids=lambda value: value[:30])
def test_a_malformed_content_range_is_refused(css: NodeUnderTest, value: str) -> None:
    css.put(M1, b"previous", destinationType="edge")
    with nothing_changes(css):
        reply = put_piece(css, value, b"0123")
        assert reply.status == 400
        assert reply.body.strip()


@pytest.mark.parametrize("body", [b"", b"012", b"012345678"], ids=["nothing", "short", "one less"])
def test_a_piece_shorter_than_its_range_does_not_count(css: NodeUnderTest, body: bytes) -> None:
    css.put(M1, b"previous")
    before = css.call("GET", M1).json()
    reply = put_piece(css, "bytes 0-9/10", body)

    assert (reply.status, reply.body[-1:]) == (400, b"\n")
    assert (css.call("GET", M1).json(), css.call("GET", f"{M1}/data").body) == (before, b"previous")
    put_piece(css, "bytes 0-9/10", TEN)
    assert css.call("GET", f"{M1}/data").body == TEN


def test_surplus_bytes_of_a_piece_are_ignored(css: NodeUnderTest) -> None:
    """As nodes pad the last piece of a file (wire-protocol 0.1 rule 11), an application may, too."""
    css.put(M1)
    put_piece(css, "bytes 4-9/10", b"456789" + b"\0" * 100)
    put_piece(css, "bytes 0-3/10", b"0123" + b"\0" * 100)

    assert css.call("GET", f"{M1}/data").body == TEN


def members_of(node: NodeUnderTest, target: str = M1) -> dict[str, Any]:
    meta: dict[str, Any] = node.call("GET", target).json()
    return meta
