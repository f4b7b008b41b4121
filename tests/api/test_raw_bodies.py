"""Bodies as bytes on a socket, where only the server that serves can be asked: too short, broken off, never sent."""

from __future__ import annotations

import socket
import time

import pytest

from tests.support.node_under_test import NodeUnderTest, wait_until
from tests.support.requests_node import announce, message_path, nothing_changes
from tests.support.requests_raw import RawConnection, connected, still_serves

M1 = "/api/v1/objects/o/t/m1"
DATA = f"{M1}/data"
AS_NODE = "X-Sync-Service-Dest: o/edge/n1"


@pytest.mark.parametrize("is_reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("sent", [b"", b"x", b"x" * 5000, b"x" * 300_000], ids=["none", "one", "some", "most"])
@pytest.mark.parametrize(
    ("target", "framing"),
    [
        (DATA, "Content-Length: 400000"),
        (M1, "Content-Length: 400000"),
        (DATA, "Transfer-Encoding: chunked"),
        (M1, "Transfer-Encoding: chunked"),
    ],
)
def test_a_client_that_vanishes_mid_body_changes_nothing(
    served_css: NodeUnderTest, target: str, framing: str, sent: bytes, is_reset: bool
) -> None:
    with nothing_changes(served_css):
        connection = RawConnection(served_css.address)
        connection.send_head("PUT", target, framing)
        connection.send(b"%x\r\n" % 400_000 + sent if "chunked" in framing else sent)
        if is_reset:
            connection.reset()
        else:
            connection.close()
        time.sleep(0.05)
        assert still_serves(served_css.address, M1)
        wait_until(lambda: not any(not sealed for _, sealed in served_css.holdings().payloads))


def test_a_body_shorter_than_declared_is_never_taken(served_css: NodeUnderTest, connection: RawConnection) -> None:
    """The client says that it is done; the server has no reason to believe the rest."""
    with nothing_changes(served_css):
        connection.send_head("PUT", DATA, "Content-Length: 10")
        connection.send(b"01234")
        connection.finish_sending()
        reply = connection.reply()
        assert reply is None or reply.status >= 400


def test_a_body_longer_than_declared_is_the_next_request(served_css: NodeUnderTest, connection: RawConnection) -> None:
    connection.send_head("PUT", DATA, "Content-Length: 5")
    connection.send(b"01234GARBAGE and more\r\n\r\n")

    first = connection.reply("PUT")
    assert first is not None
    assert first.status == 204
    second = connection.reply()
    assert second is None or second.status == 400
    assert served_css.call("GET", DATA).body == b"01234"


def test_requests_in_a_pipeline_are_answered_in_order(served_css: NodeUnderTest, connection: RawConnection) -> None:
    connection.send_head("PUT", DATA, "Content-Length: 5")
    connection.send(b"first")
    connection.send_head("GET", DATA)
    connection.send_head("PUT", DATA, "Content-Length: 6")
    connection.send(b"second")
    connection.send_head("GET", DATA)

    replies = [connection.reply(method) for method in ("PUT", "GET", "PUT", "GET")]
    assert [reply.status for reply in replies if reply] == [204, 200, 204, 200]
    assert [reply.body for reply in replies if reply and reply.body] == [b"first", b"second"]


def test_chunked_coding_is_understood(served_css: NodeUnderTest, connection: RawConnection) -> None:
    connection.send_head("PUT", DATA, "Transfer-Encoding: chunked")
    connection.send(b"3\r\n012\r\n4;ext=1\r\n3456\r\n0\r\nTrailer: x\r\n\r\n")

    reply = connection.reply("PUT")
    assert reply is not None
    assert reply.status == 204
    assert served_css.call("GET", DATA).body == b"0123456"


@pytest.mark.parametrize(
    "coding", [b"zz\r\nxx\r\n", b"-1\r\nx\r\n", b"5\r\n01\r\n0\r\n\r\n", b"ffffffffffffffffff\r\nx", b"\r\n\r\n"]
)
def test_broken_chunked_coding_is_refused(served_css: NodeUnderTest, connection: RawConnection, coding: bytes) -> None:
    with nothing_changes(served_css):
        connection.send_head("PUT", DATA, "Transfer-Encoding: chunked")
        connection.send(coding)
        connection.finish_sending()
        reply = connection.reply("PUT")
        assert reply is None or reply.status >= 400


def test_a_refusal_does_not_wait_for_the_body(served_css: NodeUnderTest, connection: RawConnection) -> None:
    """A client that is denied need not send its gigabyte."""
    connection.send_head("PUT", DATA, "Content-Length: 1000000000", actor="nobody")

    reply = connection.reply("PUT")
    assert reply is not None
    assert (reply.status, reply.body) == (403, b"Unauthorized")


def test_nothing_is_invited_before_the_caller_is_known(served_css: NodeUnderTest, connection: RawConnection) -> None:
    """`Expect: 100-continue`: the body is asked for only when it will be read."""
    connection.send_head("PUT", DATA, "Content-Length: 4", "Expect: 100-continue", actor="nobody")
    reply = connection.reply("PUT")
    assert reply is not None
    assert reply.status == 403


def test_an_expected_continuation_comes(served_css: NodeUnderTest, connection: RawConnection) -> None:
    connection.send_head("PUT", DATA, "Content-Length: 4", "Expect: 100-continue")
    interim = connection.reply("HEAD")
    assert interim is not None
    assert interim.status == 100
    connection.send(b"data")
    reply = connection.reply("PUT")
    assert reply is not None
    assert reply.status == 204


@pytest.mark.parametrize("target", [f"/spi/v1/{message_path('data', 'up')}", f"/spi/v1/{message_path('update', 'up')}"])
@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_node_that_vanishes_mid_body_shows_nothing(served_css: NodeUnderTest, target: str, framing: str) -> None:
    announce(served_css, "up")
    with nothing_changes(served_css):
        connection = RawConnection(served_css.address)
        connection.send_head("PUT", target, framing, AS_NODE, actor="o/edge/n1")
        connection.send(b"5\r\n01234\r\n" if "chunked" in framing else b"01234")
        connection.reset()
        time.sleep(0.05)
        assert still_serves(served_css.address, M1)
    assert served_css.call("GET", "/api/v1/objects/o/t/up/status").body == b"partiallyreceived"


def test_a_client_that_stops_reading_stops_nobody_else(served_css: NodeUnderTest) -> None:
    served_css.call("PUT", DATA, b"x" * (8 << 20))
    with connected(served_css.address) as stalled:
        stalled.set_receive_buffer(4096)
        stalled.send_head("GET", DATA)
        for _ in range(3):
            assert still_serves(served_css.address, M1)
    assert still_serves(served_css.address, M1)


def test_a_silent_connection_costs_nothing(served_css: NodeUnderTest) -> None:
    idle = [socket.create_connection(served_css.address) for _ in range(200)]
    try:
        assert still_serves(served_css.address, M1)
    finally:
        for each in idle:
            each.close()
