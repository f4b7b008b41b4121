"""Heads of requests as bytes on a socket: ambiguous, malformed, endless, or no request at all."""

from __future__ import annotations

import time

import pytest

from tests.support.node_under_test import NodeUnderTest
from tests.support.requests_asgi import basic
from tests.support.requests_node import nothing_changes, register
from tests.support.requests_raw import RawConnection, connected, still_serves

M1 = "/api/v1/objects/o/t/m1"
DATA = f"{M1}/data"
AS_NODE = "X-Sync-Service-Dest: o/edge/n1"


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Content-Length: -5"],
        ["Content-Length: +5"],
        ["Content-Length: 5, 5"],
        ["Content-Length: 0x5"],
        ["Content-Length: " + "9" * 40],
        ["Content-Length:"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: gzip"],
        ["Content-Length : 5"],
        ["Content-Length: 5", " folded: yes"],
        ["Bad Header: x", "Content-Length: 5"],
        ["Nul: a\0b", "Content-Length: 5"],
        ["Content-Length: 5\rX: y"],
    ],
    ids=lambda headers: repr(" ".join(headers))[:48],
)
def test_ambiguous_framing_smuggles_nothing(served_css: NodeUnderTest, headers: list[str]) -> None:
    """Whatever a proxy in front takes the body for, what follows it is never acted upon as a request of its own."""
    smuggled = f"DELETE {M1} HTTP/1.1\r\nHost: h\r\nAuthorization: {basic('ann@o')}\r\n\r\n".encode()
    with connected(served_css.address) as connection:
        connection.send_head("PUT", f"{M1}nothing/data", *headers)
        connection.send(b"0\r\n\r\n" + smuggled)
        connection.finish_sending()
        connection.reply("PUT")
        connection.reply("DELETE")
    assert still_serves(served_css.address, M1)
    assert served_css.call("GET", DATA).body == b"before"


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"GET /livez HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 100,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET " + "/é".encode() + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\xff: \xfe\r\n\r\n",
        b"GET /livez HTTP/1.1\nHost: h\n\n",
    ],
    ids=lambda raw: repr(raw)[2:26],
)
def test_what_is_no_request_of_ours_ends_the_connection_or_is_answered(served_css: NodeUnderTest, raw: bytes) -> None:
    with nothing_changes(served_css), connected(served_css.address) as connection:
        connection.send(raw)
        connection.finish_sending()
        reply = connection.reply()
        assert reply is None or reply.status in (200, 400, 404, 405, 426, 505)
    assert still_serves(served_css.address, M1)


def test_absolute_targets_name_the_same_object(served_css: NodeUnderTest, connection: RawConnection) -> None:
    connection.send_head("GET", f"http://node.test{M1}")

    reply = connection.reply()
    assert reply is not None
    assert reply.status in (200, 404)


# One chunk more than the limit may be read before it is noticed.
@pytest.mark.parametrize(
    "header", ["X: " + "y" * 1_000_000, "\r\n".join(f"X{n}: y" for n in range(200_000))], ids=["long", "many"]
)
def test_a_head_without_end_is_cut_off(served_css: NodeUnderTest, connection: RawConnection, header: str) -> None:
    with nothing_changes(served_css):
        try:
            connection.send_head("PUT", DATA, header, "Content-Length: 1")
            connection.send(b"x")
            reply = connection.reply("PUT")
        except (ConnectionResetError, BrokenPipeError):
            reply = None
        assert reply is None or reply.status in (400, 431)


def test_a_head_that_never_ends_is_not_waited_for(served_css: NodeUnderTest) -> None:
    with connected(served_css.address) as connection:
        connection.send(b"GET /livez HTTP/1.1\r\nHost: h\r\nX: ")
        started = time.monotonic()
        assert connection.is_closed_by_server()
        assert time.monotonic() - started < 5


def test_repeated_credentials_are_not_mixed(served_css: NodeUnderTest, connection: RawConnection) -> None:
    """One of them counts, never the sum."""
    connection.send_head("GET", "/api/v1/objects/x/t/m1", f"Authorization: {basic('nobody')}", actor="bob@x")

    reply = connection.reply()
    assert reply is not None
    assert reply.status in (403, 404)


@pytest.mark.parametrize("second", ["X-Sync-Service-Dest: o/edge/n2", "x-sync-service-dest: x/edge/n1"])
def test_of_two_node_headers_the_one_that_counts_has_to_agree(
    served_css: NodeUnderTest, connection: RawConnection, second: str
) -> None:
    register(served_css)
    connection.send_head("GET", "/spi/v1/objects/", AS_NODE, second, actor="o/edge/n1")

    reply = connection.reply()
    assert reply is not None
    assert reply.status in (200, 204, 403)
    assert b"n2" not in reply.body
