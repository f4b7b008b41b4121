"""ETags, conditional requests, HEAD, and ranges with If-Range."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest, Parts, a_css, request
from tests.support.requests_asgi import Reply
from tests.support.requests_node import nothing_changes

pytestmark = pytest.mark.parametrize("new_parts", ["sqlite"], indirect=True)

M1 = "/api/v1/objects/o/t/m1"
DATA = f"{M1}/data"
TEN = b"0123456789"
UNKNOWN = '"0123"'


@pytest.fixture(params=[1024, 0], ids=["in the row", "in the store"])
def small_bytes(request: pytest.FixtureRequest) -> int:
    """Payloads of a few bytes are kept in either place."""
    return int(request.param)


@pytest.fixture
def css(small_bytes: int, new_parts: Callable[[str], Parts]) -> Iterator[NodeUnderTest]:
    with closing(a_css(replace(new_parts("css"), small_payload_bytes=small_bytes))) as node:
        yield node


def etag(node: NodeUnderTest, target: str) -> str:
    return node.call("GET", target).headers["etag"]


def put(node: NodeUnderTest, headers: dict[str, str], **meta: object) -> Reply:
    body = {"meta": {"objectID": "m1", "objectType": "t", **meta}}
    return node.call("PUT", M1, body, headers=headers)


@pytest.mark.parametrize("target", [M1, DATA])
def test_a_caller_that_has_the_version_gets_304(css: NodeUnderTest, target: str) -> None:
    css.put(M1, TEN)
    tag = etag(css, target)

    for header in (tag, f"W/{tag}", f'"other,one", {tag}', f"{UNKNOWN},,{tag}", "*"):
        reply = css.call("GET", target, headers={"if-none-match": header})
        assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", tag)
    assert css.call("GET", target, headers={"if-none-match": UNKNOWN}).status == 200
    assert css.call("GET", target, headers={"if-match": tag}).status == 200
    assert css.call("GET", target, headers={"if-match": UNKNOWN}).status == 412


@pytest.mark.parametrize("header", ["", "abc", '"abc', 'abc"', '"a" "b"', '"a", b', "**", '*, "a"'])
def test_what_is_no_list_of_tags_is_refused(css: NodeUnderTest, header: str) -> None:
    css.put(M1, TEN)

    with nothing_changes(css):
        for method in ("GET", "PUT", "DELETE"):
            assert css.call(method, M1, b"{}", headers={"if-match": header}).status == 400


def test_every_change_of_what_is_shown_changes_the_tag(css: NodeUnderTest) -> None:
    tags = []
    changes: list[Callable[[], Reply]] = [
        lambda: css.put(M1, TEN),
        lambda: css.put(M1, TEN),
        lambda: css.put(M1, TEN, inactive=True),
        lambda: css.call("PUT", f"{M1}/activate"),
        lambda: css.put(M1, metaOnly=True),
        lambda: css.call("PUT", DATA, TEN),
    ]
    for change in changes:
        assert change().status == 204
        tags.append(etag(css, M1))
    assert len(set(tags)) == len(tags)


def test_the_tag_of_data_follows_its_bytes(css: NodeUnderTest) -> None:
    css.put(M1, TEN)
    first = etag(css, DATA)
    css.put(M1, TEN, description="again")
    assert etag(css, DATA) == first
    css.call("PUT", DATA, b"others")
    assert etag(css, DATA) != first


def test_an_object_of_another_version_is_neither_replaced_nor_deleted(css: NodeUnderTest) -> None:
    css.put(M1, TEN)
    old = etag(css, M1)
    css.put(M1, b"newer")

    with nothing_changes(css):
        assert put(css, {"if-match": old}).status == 412
        assert put(css, {"if-match": f"W/{etag(css, M1)}"}).status == 412
        assert put(css, {"if-none-match": "*"}).status == 412
        assert put(css, {"if-none-match": etag(css, M1)}).status == 412
        refused = css.call("DELETE", M1, headers={"if-match": old})
        assert (refused.status, refused.body[-1:]) == (412, b"\n")
    assert put(css, {"if-match": etag(css, M1)}).status == 204
    assert put(css, {"if-match": "*"}).status == 204
    assert put(css, {"if-none-match": UNKNOWN}).status == 204
    assert css.call("DELETE", M1, headers={"if-match": etag(css, M1)}).status == 204


def test_an_object_is_created_once(css: NodeUnderTest) -> None:
    with nothing_changes(css):
        assert put(css, {"if-match": "*"}).status == 412
        assert css.call("DELETE", M1, headers={"if-match": "*"}).status == 404
    assert put(css, {"if-none-match": "*"}).status == 204
    assert put(css, {"if-none-match": "*"}).status == 412


def test_of_many_who_create_or_update_at_once_one_succeeds(css: NodeUnderTest) -> None:
    for condition in ({"if-none-match": "*"}, None):
        headers = condition or {"if-match": etag(css, M1)}
        body = {"meta": {"objectID": "m1", "objectType": "t"}}
        calls = [css.send(request("PUT", M1, body, headers=headers)) for _ in range(8)]
        replies = [call.result(30) for call in calls]
        assert sorted(reply.status for reply in replies if reply) == [204, *[412] * 7]


def test_data_of_another_version_is_not_replaced(css: NodeUnderTest) -> None:
    css.put(M1)
    with nothing_changes(css):
        assert css.call("PUT", DATA, TEN, headers={"if-match": "*"}).status == 412
    first = css.call("PUT", DATA, TEN, headers={"if-none-match": "*"})
    assert (first.status, first.headers["etag"]) == (204, etag(css, DATA))
    with nothing_changes(css):
        for headers in ({"if-none-match": "*"}, {"if-match": UNKNOWN}, {"if-none-match": etag(css, DATA)}):
            assert css.call("PUT", DATA, b"other", headers=headers).status == 412
            piece = {"content-range": "bytes 0-4/10", **headers}
            assert css.call("PUT", DATA, b"other", headers=piece).status == 412
    assert css.call("PUT", DATA, b"other", headers={"if-match": etag(css, DATA)}).status == 204
    assert css.call("PUT", f"{M1}x/data", TEN, headers={"if-match": "*"}).status == 404


def test_the_last_piece_of_an_upload_finds_the_version_the_first_one_found(css: NodeUnderTest) -> None:
    css.put(M1, TEN)
    condition = {"if-match": etag(css, DATA)}

    def send(start: int) -> int:
        return css.call(
            "PUT", DATA, b"abcde", headers={"content-range": f"bytes {start}-{start + 4}/10", **condition}
        ).status

    assert send(0) == 204
    css.call("PUT", DATA, b"in between")
    assert send(5) == 412
    assert css.call("GET", DATA).body == b"in between"


@pytest.mark.parametrize("target", [M1, DATA, f"{M1}/status", "/api/v1/objects/o/t?all_objects=true", "/api/v1/health"])
def test_head_is_get_without_the_body(css: NodeUnderTest, target: str) -> None:
    css.put(M1, TEN * 1000)
    shown = css.call("GET", target)

    reply = css.call("HEAD", target, headers={"range": "bytes=2-3"})
    assert (reply.status, reply.headers, reply.body) == (200, shown.headers, b"")
    assert css.call("HEAD", target, actor=None).status == 403


def test_head_tells_what_is_not_there(css: NodeUnderTest) -> None:
    assert css.call("HEAD", M1).status == 404
    assert css.call("HEAD", f"{M1}/consumed").status == 405


def test_a_poll_of_a_node_is_no_head(css: NodeUnderTest) -> None:
    reply = css.call("HEAD", "/spi/v1/objects/", actor="o/edge/n1", headers={"x-sync-service-dest": "o/edge/n1"})
    assert reply.status == 405


@pytest.mark.parametrize(
    ("value", "status", "content_range", "body"),
    [
        ("bytes=5-", 206, "bytes 5-9/10", b"56789"),
        ("bytes=-3", 206, "bytes 7-9/10", b"789"),
        ("bytes=0-9", 206, "bytes 0-9/10", TEN),
        ("bytes=8-20", 206, "bytes 8-9/10", b"89"),
        ("bytes=0-1,4-5", 200, None, TEN),
        ("items=0-1", 200, None, TEN),
    ],
)
def test_with_if_range_the_rules_of_http_hold(
    css: NodeUnderTest, value: str, status: int, content_range: str | None, body: bytes
) -> None:
    css.put(M1, TEN)

    reply = css.call("GET", DATA, headers={"range": value, "if-range": etag(css, DATA)})
    assert (reply.status, reply.headers.get("content-range"), reply.body) == (status, content_range, body)
    assert (reply.headers["accept-ranges"], reply.headers["etag"]) == ("bytes", etag(css, DATA))


@pytest.mark.parametrize("validator", [UNKNOWN, "W/{}", "Sat, 21 Nov 2026 12:00:00 GMT", ""])
def test_a_range_of_another_version_is_the_whole(css: NodeUnderTest, validator: str) -> None:
    css.put(M1, TEN)

    headers = {"range": "bytes=5-", "if-range": validator.format(etag(css, DATA))}
    reply = css.call("GET", DATA, headers=headers)
    assert (reply.status, reply.body) == (200, TEN)


def test_beyond_the_end_if_range_is_told_how_much_there_is(css: NodeUnderTest) -> None:
    css.put(M1, TEN)

    reply = css.call("GET", DATA, headers={"range": "bytes=10-", "if-range": etag(css, DATA)})
    assert (reply.status, reply.headers["content-range"]) == (416, "bytes */10")


def test_an_edge_has_the_same_tags_for_the_same_bytes(css: NodeUnderTest, ess: EdgeUnderTest) -> None:
    css.put(M1, TEN)
    ess.receive("m1", TEN)

    assert etag(ess, "/api/v1/objects/t/m1/data") == etag(css, DATA)
    assert ess.call("GET", "/api/v1/objects/t/m1", headers={"if-none-match": "*"}).status == 304
