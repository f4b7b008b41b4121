"""GET of an object's data, whole and by range, and PUT of the whole (rest-api 3.10, 3.11)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from common.runtime.config.link import Link
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest, Parts, a_css, request, wait_until
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


def get_range(node: NodeUnderTest, value: str, target: str = M1) -> Reply:
    return node.call("GET", f"{target}/data", headers={"range": value})


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
def test_a_range_gives_that_part(
    css: NodeUnderTest, value: str, status: int, content_range: str | None, body: bytes
) -> None:
    """The FIX of every row of rest-api 3.10 included: never more or other bytes than the object has."""
    css.put(M1, TEN)

    reply = get_range(css, value)
    assert (reply.status, reply.headers.get("content-range"), reply.body) == (status, content_range, body)
    assert reply.headers["content-length"] == str(len(body))
    if status == 206:
        assert reply.headers["content-type"] == "application/octet-stream"


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


@pytest.fixture
def narrow_css(new_parts: Callable[[str], Parts]) -> Iterator[NodeUnderTest]:
    """A CSS that serves as few ranged downloads at once as can be configured: one per CPU."""
    with closing(a_css(replace(new_parts("narrow"), link=Link(downloads_per_cpu=1)))) as node:
        node.put(M1, LARGE)
        yield node


def test_ranged_downloads_beyond_the_limit_are_429(narrow_css: NodeUnderTest) -> None:
    """Clients try again later; whole downloads are not limited (rest-api 3.10)."""
    slow = [request("GET", f"{M1}/data", headers={"range": "bytes=1-5000"}) for _ in range(os.cpu_count() or 1)]
    for call in slow:
        call.reads_slowly = True
        narrow_css.send(call)
    wait_until(lambda: all(call.is_answered for call in slow))
    refused = get_range(narrow_css, "bytes=1-2")
    assert (refused.status, refused.headers["retry-after"], refused.body[-1:]) == (429, "1", b"\n")
    assert narrow_css.call("GET", f"{M1}/data").status == 200
    for call in slow:
        narrow_css.hang_up(call)

    wait_until(lambda: get_range(narrow_css, "bytes=1-2").status == 206)


def test_a_slot_comes_back_whatever_became_of_the_download(narrow_css: NodeUnderTest) -> None:
    many = 3 * (os.cpu_count() or 1)
    for _ in range(many):
        assert get_range(narrow_css, "bytes=99999-100000").status == 404
    for _ in range(many):
        gone = request("GET", f"{M1}/data", headers={"range": "bytes=1-5000"})
        gone.is_cut = True
        narrow_css.send(gone).result()
    for _ in range(many):
        assert get_range(narrow_css, "bytes=1-5000").status == 206
