"""Data between an edge and the cloud: downloads by range, uploads whole and in pieces (wire-protocol 2.7, 2.8, 0.1 rules 9 to 12)."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.support.node_under_test import NodeUnderTest
from tests.support.requests_asgi import Reply
from tests.support.requests_node import (
    INSTANCE,
    announce,
    announcement,
    as_node,
    message_path,
    nothing_changes,
    poll,
    register,
)

pytestmark = pytest.mark.parametrize("new_parts", ["sqlite"], indirect=True)

M1 = "/api/v1/objects/o/t/m1"
TEN = b"0123456789"
LARGE = bytes(range(256)) * 20


def offered(css: NodeUnderTest, data: bytes = TEN) -> int:
    """An object on its way to the node; its instance."""
    register(css)
    css.put(M1, data, destinationType="edge")
    [item] = poll(css)
    instance: int = item["MetaData"]["instanceID"]
    return instance


def fetch(css: NodeUnderTest, instance: int, wanted: str | None = None) -> Reply:
    headers = {"range": wanted} if wanted else {}
    return as_node(css, "GET", message_path("data", instance=instance, data_id=instance), headers=headers)


def upload(css: NodeUnderTest, body: bytes | list[bytes], content_range: str | None = None) -> int:
    headers = {"content-range": content_range} if content_range else {}
    reply = as_node(css, "PUT", message_path("data"), body, headers=headers)
    assert reply.status == 204 or reply.body.endswith(b"\n")
    return reply.status


def status_of(css: NodeUnderTest) -> str:
    return css.call("GET", f"{M1}/status").body.decode()


@pytest.mark.parametrize("data", [b"", TEN, LARGE], ids=["nothing", "small", "large"])
def test_the_whole_comes_with_its_length_and_digest(css: NodeUnderTest, data: bytes) -> None:
    reply = fetch(css, offered(css, data))

    assert (reply.status, reply.headers["content-type"], reply.body) == (200, "application/octet-stream", data)
    assert reply.headers["content-length"] == str(len(data))
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert reply.headers["repr-digest"] == f"sha-256=:{digest}:"


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-3", 0, 3),
        ("bytes=4-7", 4, 7),
        ("bytes=8-9", 8, 9),
        ("bytes=8-10", 8, 9),  # one too far, as the reference's nodes ask when the size is a multiple of their chunk
        ("bytes=8-15", 8, 9),
        ("bytes=0-9", 0, 9),
        ("bytes=0-10", 0, 9),
        ("bytes=0-9223372036854775807", 0, 9),
    ],
)
@pytest.mark.parametrize("factor", [1, 500], ids=["small", "large"])
def test_a_range_is_clamped_and_always_206(css: NodeUnderTest, factor: int, wanted: str, first: int, last: int) -> None:
    """Rule 9: a ranged request is never answered with the whole object as such, the length is exact, no chunked coding."""
    data = TEN * factor
    reply = fetch(css, offered(css, data), wanted)
    if factor > 1:
        last = min(int(wanted.rpartition("-")[2]), len(data) - 1)

    assert (reply.status, reply.body) == (206, data[first : last + 1])
    assert reply.headers["content-range"] == f"bytes {first}-{last}/{len(data)}"
    assert reply.headers["content-length"] == str(last - first + 1)
    assert "transfer-encoding" not in reply.headers


@pytest.mark.parametrize("wanted", ["bytes=5-", "bytes=-5", "bytes=5-3", "bytes=0-1,4-5", "bytes=x-y", "0-1", "bytes"])
def test_a_malformed_range_is_refused_and_leaks_nothing(css: NodeUnderTest, wanted: str) -> None:
    reply = fetch(css, offered(css), wanted)

    assert reply.status == 400
    assert TEN not in reply.body


def test_a_range_beyond_the_end_is_no_reason_to_drop_the_object(css: NodeUnderTest) -> None:
    """Rule 10: 404 makes the node delete its copy."""
    for wanted in ("bytes=10-12", "bytes=99-100"):
        reply = fetch(css, offered(css), wanted)
        assert (reply.status, reply.body) != (404, b"")
        assert 400 <= reply.status < 500


def test_404_means_gone_and_409_another_instance(css: NodeUnderTest) -> None:
    instance = offered(css)
    assert fetch(css, instance + 1).status == 409
    css.put(M1, b"newer", destinationType="edge")
    assert fetch(css, instance).status == 409
    css.put(M1, destinationType="edge")  # not ready: the data will come
    assert fetch(css, instance).status == 409
    css.call("DELETE", M1)
    assert fetch(css, instance).status == 404
    assert as_node(css, "GET", message_path("data", "never")).status == 404


def test_a_download_changes_nothing(css: NodeUnderTest) -> None:
    instance = offered(css)
    with nothing_changes(css):
        for _ in range(3):
            fetch(css, instance)
            fetch(css, instance, "bytes=1-2")


@pytest.mark.parametrize("data", [TEN, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_whole_upload(css: NodeUnderTest, data: bytes, chunked: bool) -> None:
    """Rule 11: with a length or in chunked coding."""
    announce(css, size=len(data))
    assert status_of(css) == "partiallyreceived"
    assert upload(css, [data[:7], data[7:]] if chunked else data) == 204

    assert (status_of(css), css.call("GET", f"{M1}/data").body) == ("completelyReceived", data)
    with nothing_changes(css):
        assert upload(css, b"x" * len(data)) == 204  # a repeat changes nothing


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 1, 2, 2, 0)])
@pytest.mark.parametrize("factor", [1, 500], ids=["small", "large"])
def test_pieces_complete_in_any_order(css: NodeUnderTest, factor: int, order: tuple[int, ...]) -> None:
    """Rule 12; and surplus bytes of the padded last piece are ignored (rule 11)."""
    data, cuts = TEN * factor, [0, 4 * factor, 8 * factor, 10 * factor]
    announce(css, size=len(data))
    for index in order:
        start, end = cuts[index], cuts[index + 1]
        piece = data[start:end].ljust(4 * factor, b"\0")
        assert upload(css, piece, f"bytes {start}-{end - 1}/{len(data)}") == 204

    assert (status_of(css), css.call("GET", f"{M1}/data").body) == ("completelyReceived", data)


def test_an_interrupted_upload_says_how_far_it_got(css: NodeUnderTest) -> None:
    announce(css, size=len(LARGE))
    half = len(LARGE) // 2
    upload(css, LARGE[:half], f"bytes 0-{half - 1}/{len(LARGE)}")

    again = as_node(css, "PUT", message_path("update"), announcement(size=len(LARGE)))
    assert (again.status, again.headers["upload-offset"]) == (204, str(half))
    assert upload(css, LARGE[half:], f"bytes {half}-{len(LARGE) - 1}/{len(LARGE)}") == 204
    assert css.call("GET", f"{M1}/data").body == LARGE


@pytest.mark.parametrize(
    "content_range",
    ["bytes 0-3", "bytes 0-3/*", "bytes */10", "bytes 3-0/10", "bytes 0-10/10", "bytes a-b/c", "bytes 0-3/11", "0-3/9",
     "bytes 0-3/9223372036854775808", "bytes -4/10", "bytes 0-3,4-5/10"],
)  # fmt: skip
def test_a_wrong_content_range_is_refused(css: NodeUnderTest, content_range: str) -> None:
    announce(css)
    with nothing_changes(css):
        assert upload(css, b"0123", content_range) == 400


@pytest.mark.parametrize("factor", [1, 500], ids=["small", "large"])
def test_a_body_of_another_length_does_not_count(css: NodeUnderTest, factor: int) -> None:
    data = TEN * factor
    announce(css, size=len(data))
    before = css.call("GET", M1).json()
    with nothing_changes(css):
        assert upload(css, data[:-1]) == 400
        assert upload(css, data + b"x") == 400
    assert upload(css, [data[:-1]]) == 400
    assert upload(css, data[:1], f"bytes 0-{len(data) - 1}/{len(data)}") == 400
    assert (css.call("GET", M1).json(), status_of(css)) == (before, "partiallyreceived")
    assert upload(css, data) == 204

    assert css.call("GET", f"{M1}/data").body == data


def test_data_that_was_not_announced_is_409(css: NodeUnderTest) -> None:
    register(css)
    with nothing_changes(css):
        assert upload(css, TEN) == 409
        assert upload(css, b"0123", "bytes 0-3/10") == 409
    announce(css)
    with nothing_changes(css):
        path = message_path("data", instance=INSTANCE + 1)
        assert as_node(css, "PUT", path, TEN).status == 409


def test_data_that_does_not_match_its_digest_is_never_shown(css: NodeUnderTest) -> None:
    announce(css)
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    headers = {"repr-digest": f"sha-256=:{wrong}:"}
    reply = as_node(css, "PUT", message_path("data"), TEN, headers=headers)

    assert reply.status >= 400
    assert status_of(css) != "completelyReceived"
    assert css.call("GET", f"{M1}/data").status == 404
