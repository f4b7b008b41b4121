"""PUT of an object's data in pieces (rest-api 3.11)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest, Parts, a_css
from tests.support.requests_asgi import Reply
from tests.support.requests_node import nothing_changes

pytestmark = pytest.mark.parametrize("new_parts", ["sqlite"], indirect=True)

M1 = "/api/v1/objects/o/t/m1"
COPY = "/api/v1/objects/t/m1"
TEN = b"0123456789"
#: More than the nodes under test keep in a row: this goes through the payload store.
LARGE = bytes(range(256)) * 20


@pytest.fixture(params=[1024, 0], ids=["in the row", "in the store"])
def css(request: pytest.FixtureRequest, new_parts: Callable[[str], Parts]) -> Iterator[NodeUnderTest]:
    """Payloads of a few bytes are kept in either place."""
    with closing(a_css(replace(new_parts("css"), small_payload_bytes=request.param))) as node:
        yield node


def put_piece(node: NodeUnderTest, content_range: str, piece: bytes, target: str = M1) -> Reply:
    return node.call("PUT", f"{target}/data", piece, headers={"content-range": content_range})


def status_of(node: NodeUnderTest, target: str = M1) -> str:
    return node.call("GET", f"{target}/status").body.decode()


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
