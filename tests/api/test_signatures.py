"""Signed data, checked when it is published and when it comes from a node (rest-api 3.8 check 24, 3.11, 4.1)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from common.domain.signing import Verdict
from common.rest import arrivals
from common.runtime import signatures
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_asgi import Reply
from tests.support.requests_node import announce, announcement, as_node, message_path, poll, register
from tests.support.signing import signed

pytestmark = pytest.mark.parametrize("new_parts", ["sqlite"], indirect=True)

M1 = "/api/v1/objects/o/t/m1"
SMALL, LARGE = b"signed content", bytes(range(256)) * 20
OTHER = b"something else"

sizes = pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
algorithms = pytest.mark.parametrize("algorithm", ["SHA1", "SHA256"])


def status_of(node: NodeUnderTest) -> str:
    return node.call("GET", f"{M1}/status").body.decode()


def assert_failed(css: NodeUnderTest, reply: Reply) -> None:
    """The caller is told, and nobody sees the data."""
    assert (reply.status, b"signature" in reply.body) == (500, True)
    assert status_of(css) == "verificationFailed"
    assert css.call("GET", f"{M1}/data").status == 404
    assert poll(css) == []


@sizes
@algorithms
def test_good_data_is_ready_with_its_metadata(css: NodeUnderTest, data: bytes, algorithm: str) -> None:
    assert css.put(M1, data, **signed(data, algorithm)).status == 204

    assert (status_of(css), css.call("GET", f"{M1}/data").body) == ("ready", data)


@sizes
@algorithms
def test_bad_data_is_refused_with_its_metadata(css: NodeUnderTest, data: bytes, algorithm: str) -> None:
    register(css)
    before = set(css.payloads.names())
    assert_failed(css, css.put(M1, data, **signed(OTHER, algorithm)))

    assert set(css.payloads.names()) == before
    assert css.put(M1, data, **signed(data, algorithm)).status == 204
    assert (status_of(css), len(poll(css))) == ("ready", 1)


@sizes
@algorithms
def test_data_that_comes_later_is_checked_against_the_metadata(css: NodeUnderTest, data: bytes, algorithm: str) -> None:
    register(css)
    css.put(M1, **signed(data, algorithm))
    before = set(css.payloads.names())
    wrong = css.call("PUT", f"{M1}/data", data + b"!")
    assert_failed(css, wrong)

    assert set(css.payloads.names()) == before
    assert css.call("PUT", f"{M1}/data", data).status == 204
    assert (status_of(css), css.call("GET", f"{M1}/data").body) == ("ready", data)
    assert len(poll(css)) == 1


@algorithms
def test_pieces_are_checked_when_the_last_one_is_here(css: NodeUnderTest, algorithm: str) -> None:
    """The uploader has its 204 and looks at the status."""
    register(css)
    css.put(M1, **signed(LARGE, algorithm))
    for data, status in ((LARGE[::-1], "verificationFailed"), (LARGE, "ready")):
        half = len(data) // 2
        for start, end in ((0, half), (half, len(data))):
            headers = {"content-range": f"bytes {start}-{end - 1}/{len(data)}"}
            reply = css.call("PUT", f"{M1}/data", data[start:end], headers=headers)
            assert (reply.status, reply.body, "mms-upload-owner" in reply.headers) == (204, b"", True)
        assert status_of(css) == status
        assert len(poll(css)) == (1 if status == "ready" else 0)

    assert css.call("GET", f"{M1}/data").body == LARGE


def test_a_node_keeps_its_version_while_the_next_one_is_bad(css: NodeUnderTest) -> None:
    """Its destination waits for data that is right."""
    register(css)
    css.put(M1, SMALL, **signed(SMALL), destinationType="edge")
    poll(css)
    css.put(M1, OTHER, **signed(SMALL), destinationType="edge")

    [destination] = css.call("GET", f"{M1}/destinations").json()
    assert (destination["status"], poll(css)) == ("pending", [])


def test_an_update_of_metadata_alone_keeps_what_was_checked(css: NodeUnderTest) -> None:
    members = signed(SMALL)
    css.put(M1, SMALL, **members)
    assert css.put(M1, metaOnly=True, description="two").status == 204

    meta = css.call("GET", M1).json()
    assert {name: meta[name] for name in members} == members
    assert (status_of(css), css.call("GET", f"{M1}/data").body) == ("ready", SMALL)


@pytest.mark.parametrize("left_out", ["hashAlgorithm", "publicKey", "signature"])
def test_with_one_of_the_three_missing_nothing_is_checked(css: NodeUnderTest, left_out: str) -> None:
    assert css.put(M1, SMALL, **{**signed(OTHER), left_out: ""}).status == 204
    assert status_of(css) == "ready"


def test_a_new_signature_makes_bad_data_of_good(css: NodeUnderTest) -> None:
    css.put(M1, SMALL, **signed(SMALL))
    css.put(M1, **signed(OTHER))
    assert css.call("PUT", f"{M1}/data", SMALL).status == 500

    assert css.call("PUT", f"{M1}/data", OTHER).status == 204


def test_what_is_said_to_have_no_data_has_none_to_check(css: NodeUnderTest) -> None:
    assert css.put(M1, SMALL, **signed(OTHER), noData=True).status == 204

    meta = css.call("GET", M1).json()
    assert (status_of(css), meta["publicKey"], meta["signature"]) == ("ready", "", "")


def test_an_edge_checks_what_is_published_there(ess: EdgeUnderTest) -> None:
    target = "/api/v1/objects/t/m1"
    assert ess.put(target, OTHER, **signed(SMALL)).status == 500
    assert ess.call("GET", f"{target}/status").body == b"verificationFailed"
    assert ess.put(target, SMALL, **signed(SMALL)).status == 204


@sizes
@algorithms
def test_data_of_a_node_is_shown_when_its_signature_is_good(css: NodeUnderTest, data: bytes, algorithm: str) -> None:
    announce(css, size=len(data), **signed(data, algorithm))

    assert as_node(css, "PUT", message_path("data"), data).status == 204
    assert (status_of(css), css.call("GET", f"{M1}/data").body) == ("completelyReceived", data)


@pytest.mark.parametrize("in_pieces", [False, True])
@sizes
def test_data_of_a_node_with_a_bad_signature_is_never_shown(css: NodeUnderTest, data: bytes, in_pieces: bool) -> None:
    """The node is told, and may announce the same instance again."""
    members: dict[str, Any] = signed(data)
    announce(css, size=len(data), **members)
    wrong = bytes(len(data)) if data else b""
    if not data:
        members = signed(OTHER)
        announce(css, "m2", size=0, **members)
        assert as_node(css, "PUT", message_path("data", "m2"), b"").status == 422
        return

    assert _upload(css, wrong, in_pieces=in_pieces) == 422
    assert status_of(css) == "receiverVerificationFailed"
    assert css.call("GET", f"{M1}/data").status == 404
    assert css.call("GET", "/api/v1/objects/o/t").status == 404

    again = as_node(css, "PUT", message_path("update"), announcement(size=len(data), **members))
    assert (again.status, again.headers["upload-offset"], status_of(css)) == (204, "0", "partiallyreceived")
    assert _upload(css, data, in_pieces=in_pieces) == 204
    assert (status_of(css), css.call("GET", f"{M1}/data").body) == ("completelyReceived", data)


def _upload(css: NodeUnderTest, data: bytes, *, in_pieces: bool) -> int:
    """The status of the last answer."""
    cuts = [0, len(data) // 2, len(data)] if in_pieces else [0, len(data)]
    status = 0
    for start, end in pairwise(cuts):
        headers = {"content-range": f"bytes {start}-{end - 1}/{len(data)}"} if in_pieces else {}
        status = as_node(css, "PUT", message_path("data"), data[start:end], headers=headers).status
    return status


def test_a_signature_that_changes_while_data_is_checked_is_the_one_that_counts(
    css: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[bool] = []

    def judge_slowly(*arguments: Any) -> Verdict | None:
        verdict = signatures.judge(*arguments)
        judged.append(verdict is not None and verdict.is_genuine)
        if len(judged) == 1:
            css.put(M1, **signed(SMALL))
        return verdict

    css.put(M1, **signed(OTHER))
    monkeypatch.setattr(arrivals, "judge", judge_slowly)

    assert css.call("PUT", f"{M1}/data", SMALL).status == 204
    assert (judged, status_of(css)) == ([False, True], "ready")
