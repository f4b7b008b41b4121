"""Names that break the rule, in every segment of every path of both interfaces (rest-api 1.2, 1.7)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, unquote

import pytest

from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_node import INSTANCE, announcement, as_node, nothing_changes, register

#: As they stand on the request line.
BAD_NAMES = [
    "..", ".", "%2e%2e", "%2E", ".%2e", "%2e%2e%2f", "..%2f..%2fetc%2fpasswd", "..%5c", "%252e%252e", "%25", "%",
    "%00", "a%00", "%00a", "a%00b", "%0a", "a%0d%0ab", "%7f", "%1b", "%20", "a%20b", "+", "a+b", ":", "a:b", "%3a",
    "a&b", "a=b", "a<b", "a>b", "%3cscript%3e", "a'b", 'a"b', "a%22b", "a\\b", "a,b", "a;b", "(a)", "a%3fb", "{a}",
    "[a]", "`a`", "%ff", "%c3%28", "%c0%ae%c0%ae", "%ed%a0%80", "%e2%80%ae", "%e2%80%8b", "%cc%81", "%f0%9f%98%80", "%u002e",
    "a" * 501, quote("я" * 251),
]  # fmt: skip

GOOD_NAMES = [
    "a", "...", "..a", ".a", "a..b", "-", "_", "!@$^*-_.~|", "a" * 500, quote("модель"), quote("図_β٣.v1"), "%41", "Ⅷ½", "%23",
    "Cloud", "data", "status", "null", "0",
]  # fmt: skip

in_memory = pytest.mark.parametrize("new_parts", ["memory"], indirect=True)  # refused before any database sees them


def shown(name: str) -> str:
    """In the name of a test."""
    return name[:16].encode("unicode_escape").decode()


def with_bad_segment(name: str, depth: int) -> Iterator[str]:
    """Paths below a prefix in which each of the first `depth` segments is `name` once."""
    segments = ["o", "t", "m1"][-depth:]
    for position in range(depth):
        yield "/".join([*segments[:position], name, *segments[position + 1 :]])


@in_memory
@pytest.mark.parametrize("name", BAD_NAMES, ids=shown)
def test_a_bad_name_in_any_segment_is_refused(css: NodeUnderTest, ess: EdgeUnderTest, name: str) -> None:
    """Either as a name, or as a path with other segments than it seems; never by reaching another object."""
    for node, depth in ((css, 3), (ess, 2)):
        node.put("/api/v1/objects/" + "/".join(["o", "t", "m1"][-depth:]), b"x", destinationType="edge")
        with nothing_changes(node):
            for path in with_bad_segment(name, depth):
                for method, rest in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/data"), ("PUT", "/data")):
                    reply = node.call(method, f"/api/v1/objects/{path}{rest}", b"{}")
                    assert reply.status in (400, 404), (method, path)
                    assert reply.status == 404 or reply.body in (b"", b"\n") or reply.body.endswith(b"\n")
                assert node.call("PUT", f"/api/v1/objects/{path}/consumed").status in (400, 404)
                assert node.call("GET", f"/api/v1/objects/{path}").status in (400, 404)


@in_memory
@pytest.mark.parametrize("name", BAD_NAMES, ids=shown)
def test_a_bad_name_in_a_list_is_refused(css: NodeUnderTest, ess: EdgeUnderTest, name: str) -> None:
    for node, target in (
        (css, f"/api/v1/objects/o/{name}"),
        (css, f"/api/v1/objects/{name}/t"),
        (ess, f"/api/v1/objects/{name}"),
    ):
        for query in ("", "?all_objects=true"):
            assert node.call("GET", target + query).status in (400, 404)
    assert css.call("GET", f"/api/v1/destinations/{name}", actor="root@o").status in (400, 404)


@in_memory
@pytest.mark.parametrize("name", BAD_NAMES, ids=shown)
def test_a_bad_name_in_a_message_is_refused(css: NodeUnderTest, name: str) -> None:
    register(css)
    with nothing_changes(css):
        for action in ("update", "data", "delete", "received", "ackconsumed", "feedback"):
            for path in with_bad_segment(name, 3):
                target = f"objects/{path}/{INSTANCE}/{INSTANCE}/{action}"
                assert as_node(css, "PUT", target, announcement()).status in (400, 403, 404)
            for instance in (name, f"{INSTANCE}/{name}"):
                assert as_node(css, "PUT", f"objects/o/t/m1/{instance}/{action}", announcement()).status in (400, 404)
        assert as_node(css, "PUT", f"objects/o/t/m1/{INSTANCE}/{INSTANCE}/{name}", announcement()).status in (400, 404)
        assert as_node(css, "GET", f"objects/o/t/{name}/{INSTANCE}/{INSTANCE}/data").status in (400, 404)


@in_memory
@pytest.mark.parametrize("name", ["..", ".", "a b", "a:b", "a%2fb", "a\\b", "é%", "", "a<b", "a\x7f", "a" * 501])
@pytest.mark.parametrize("position", range(3))
def test_a_bad_name_in_the_node_header_is_denied(css: NodeUnderTest, position: int, name: str) -> None:
    """Also with a key that spells the same node."""
    parts = ["o", "edge", "n1"]
    parts[position] = name
    claimed = "/".join(parts)
    for actor in (claimed, "o/edge/n1"):
        with nothing_changes(css):
            headers = {"x-sync-service-dest": claimed.encode().decode("latin-1")}
            reply = css.call("PUT", "/spi/v1/register-new/o/edge/n1", actor=actor, headers=headers)
            assert (reply.status, reply.body) == (403, b"Unauthorized")


@pytest.mark.parametrize("name", GOOD_NAMES, ids=shown)
def test_every_good_name_works_in_every_segment(css: NodeUnderTest, name: str) -> None:
    plain = unquote(name)
    target = f"/api/v1/objects/o/{name}/{name}"
    body = {"meta": {"objectID": plain, "objectType": plain}, "data": "eA=="}
    assert css.call("PUT", target, body).status == 204
    assert css.call("GET", f"{target}/data").body == b"x"
    meta = css.call("GET", target).json()
    assert (meta["objectType"], meta["objectID"]) == (plain, plain)
    assert css.call("GET", f"/api/v1/objects/o/{name}?all_objects=true").json()[0]["objectID"] == plain
    assert css.call("DELETE", target).status == 204


@pytest.mark.parametrize("name", [name for name in GOOD_NAMES if name != "Cloud"], ids=shown)
def test_every_good_name_travels_between_nodes(css: NodeUnderTest, name: str) -> None:
    """FIX of rest-api 1.7: also those the reference's nodes cannot put into a URL."""
    plain = unquote(name)
    register(css)
    meta = announcement(plain, size=3, objectType=plain)
    path = f"objects/o/{name}/{name}/{INSTANCE}/{INSTANCE}"
    assert as_node(css, "PUT", f"{path}/update", meta).status == 204
    assert as_node(css, "PUT", f"{path}/data", b"abc").status == 204
    assert css.call("GET", f"/api/v1/objects/o/{name}/{name}/data").body == b"abc"
