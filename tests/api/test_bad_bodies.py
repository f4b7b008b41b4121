"""Bodies that are too large, too short, or whose sender goes away: refused early, and nothing of them is left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from common.runtime.config.limits import Limits
from tests.support.node_under_test import NodeUnderTest, Parts, a_css, request
from tests.support.requests_asgi import Call
from tests.support.requests_node import announcement, as_node, message_path, nothing_changes, register

pytestmark = pytest.mark.parametrize("new_parts", ["sqlite"], indirect=True)

M1 = "/api/v1/objects/o/t/m1"
MIB = 1 << 20

LIMITS = Limits(object_request_bytes=2 * MIB, metadata_bytes=64 * 1024, payload_bytes=3 * MIB)


@pytest.fixture
def css(new_parts: Callable[[str], Parts]) -> Iterator[NodeUnderTest]:
    with closing(a_css(replace(new_parts("css"), limits=LIMITS))) as node:
        register(node)
        node.put(M1, b"before", destinationType="edge")
        yield node


def in_pieces(size: int, piece: bytes = b"x" * 65536) -> list[bytes]:
    return [piece] * (size // len(piece)) + [piece[: size % len(piece)]]


def reading(target: str, method: str = "PUT", **members: object) -> Call:
    call = request(method, target)
    for name, value in members.items():
        setattr(call, name, value)
    return call


def meta_of_size(size: int) -> bytes:
    return b'{"meta": {"objectID": "m1", "objectType": "t", "description": "' + b"d" * size + b'"}}'


@pytest.mark.parametrize("size", [65 * 1024, MIB, 10 * MIB])
@pytest.mark.parametrize("chunked", [False, True])
def test_metadata_beyond_the_limit_is_413(css: NodeUnderTest, size: int, chunked: bool) -> None:
    body = meta_of_size(size)
    with nothing_changes(css):
        reply = css.call("PUT", M1, [body[at : at + 65536] for at in range(0, len(body), 65536)] if chunked else body)
        assert (reply.status, reply.body[-1:]) == (413, b"\n")


def test_metadata_up_to_the_limit_is_taken(css: NodeUnderTest) -> None:
    assert css.call("PUT", M1, meta_of_size(60 * 1024)).status == 204
    data = b"x" * MIB
    assert css.put(M1, data, description="d" * 60_000).status == 204
    assert css.call("GET", f"{M1}/data").body == data


def test_data_does_not_count_as_metadata_but_its_base64_cannot_hide_any(css: NodeUnderTest) -> None:
    body = b'{"meta": {"objectID": "m1", "objectType": "t"}, "data": "' + b"eHh4" * 100_000 + b'", "more": "'
    assert css.call("PUT", M1, body + b'x"}').status == 204
    with nothing_changes(css):
        assert css.call("PUT", M1, body + b"x" * 70_000 + b'"}').status == 413


def test_a_declared_body_beyond_the_limit_is_refused_before_it_is_read(css: NodeUnderTest) -> None:
    call = reading(M1, pieces=in_pieces(2 * MIB + 1), declares=2 * MIB + 1)
    with nothing_changes(css):
        reply = css.send(call).result()
    assert reply is not None
    assert (reply.status, call.pieces_taken) == (413, 0)


def test_an_undeclared_body_is_read_up_to_the_limit_only(css: NodeUnderTest) -> None:
    call = reading(M1, pieces=in_pieces(50 * MIB), declares=None)
    with nothing_changes(css):
        reply = css.send(call).result()
    assert reply is not None
    assert reply.status == 413
    assert call.pieces_taken <= 2 * MIB // 65536 + 2


@pytest.mark.parametrize("declares", [3 * MIB + 1, 2**62, None])
def test_data_beyond_the_limit_is_413(css: NodeUnderTest, declares: int | None) -> None:
    call = reading(f"{M1}/data", pieces=in_pieces(4 * MIB), declares=declares)
    with nothing_changes(css):
        reply = css.send(call).result()
    assert reply is not None
    assert (reply.status, reply.body[-1:]) == (413, b"\n")
    assert call.pieces_taken == 0 if declares is not None else call.pieces_taken <= 3 * MIB // 65536 + 2


@pytest.mark.parametrize("total", [3 * MIB + 1, 1 << 50])
def test_pieces_of_more_than_the_limit_are_413(css: NodeUnderTest, total: int) -> None:
    with nothing_changes(css):
        header = {"content-range": f"bytes {total - 4}-{total - 1}/{total}"}
        reply = css.call("PUT", f"{M1}/data", b"0123", headers=header)
        assert (reply.status, reply.body[-1:]) == (413, b"\n")


@pytest.mark.parametrize(
    "value", ["-1", "+5", "0x5", "1 2", "1,1", "", " ", "five", "5.0", "٥".encode().decode("latin-1")]
)
def test_a_content_length_that_is_no_number_is_refused(css: NodeUnderTest, value: str) -> None:
    with nothing_changes(css):
        for target in (M1, f"{M1}/data"):
            reply = css.call("PUT", target, [b"{}"], headers={"content-length": value})
            assert (reply.status, reply.body[-1:]) == (400, b"\n")


@pytest.mark.parametrize("size", [0, 10, 5000, MIB])
@pytest.mark.parametrize("target", [M1, f"{M1}/data"])
def test_a_client_gone_mid_body_leaves_nothing(css: NodeUnderTest, target: str, size: int) -> None:
    """Neither declared nor chunked bodies count before their end."""
    for declares in (2 * MIB, None):
        with nothing_changes(css):
            reply = css.send(reading(target, pieces=in_pieces(size), declares=declares, is_cut=True)).result()
        assert reply is None or reply.status >= 400


def test_a_client_gone_mid_piece_leaves_the_object_as_it_was(css: NodeUnderTest) -> None:
    """What was staged stays for the next attempt; applications see the previous version."""
    before = css.call("GET", M1).json()
    call = reading(f"{M1}/data", pieces=in_pieces(MIB), declares=2 * MIB, is_cut=True)
    call.headers = {**call.headers, "content-range": f"bytes 0-{2 * MIB - 1}/{2 * MIB}"}
    css.send(call).result()

    assert css.call("GET", M1).json() == before
    assert css.call("GET", f"{M1}/data").body == b"before"
    assert (
        css.call(
            "PUT", f"{M1}/data", b"y" * 2 * MIB, headers={"content-range": f"bytes 0-{2 * MIB - 1}/{2 * MIB}"}
        ).status
        == 204
    )
    assert css.call("GET", f"{M1}/data").body == b"y" * 2 * MIB


@pytest.mark.parametrize("action", ["update", "delete", "feedback"])
@pytest.mark.parametrize("chunked", [False, True])
def test_metadata_of_a_node_beyond_the_limit_is_refused(css: NodeUnderTest, action: str, chunked: bool) -> None:
    """Not with 409, which would tell the node that all is well."""
    body = json.dumps(announcement("up", description="d" * 10 * MIB) | {"Code": 1, "Reason": "r" * 10 * MIB}).encode()
    with nothing_changes(css):
        pieces = [body[at : at + 65536] for at in range(0, len(body), 65536)]
        reply = as_node(css, "PUT", message_path(action, "up"), pieces if chunked else body)
        assert (reply.status, reply.body[-1:]) == (413, b"\n")


@pytest.mark.parametrize("size", [0, 3, 9])
@pytest.mark.parametrize("chunked", [False, True])
def test_data_of_a_node_that_is_too_short_does_not_count(css: NodeUnderTest, size: int, chunked: bool) -> None:
    assert as_node(css, "PUT", message_path("update", "up"), announcement("up")).status == 204
    with nothing_changes(css):
        body = [b"0123456789"[:size]] if chunked else b"0123456789"[:size]
        assert as_node(css, "PUT", message_path("data", "up"), body).status == 400
    assert as_node(css, "PUT", message_path("data", "up"), b"0123456789").status == 204
    assert css.call("GET", "/api/v1/objects/o/t/up/data").body == b"0123456789"
