"""What one peer can hold of a service: connections, header fields, bodies that do not come, answers that are not taken."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from common.runtime.config.load import Load
from tests.support.node_under_test import NodeUnderTest, Parts, a_css, request
from tests.support.requests_raw import RawConnection, connected, still_serves

M1 = "/api/v1/objects/o/t/m1"
DATA = f"{M1}/data"

#: A peer is to move 1000 bytes in half a second.
SLOW = Load(transfer_bytes_per_second=2000, transfer_window_seconds=0.5)  # type: ignore[arg-type]

_PROBLEM = {"accept": "application/problem+json"}

ServedWith = Callable[[Load], NodeUnderTest]


@pytest.fixture
def served_with(new_parts: Callable[[str], Parts]) -> Iterator[ServedWith]:
    """Starts a CSS on a port, with an object `t/m1` for nobody."""
    with ExitStack() as resources:

        def serve(load: Load) -> NodeUnderTest:
            node = resources.enter_context(closing(a_css(dataclasses.replace(new_parts("css"), load=load))))
            resources.enter_context(node.served())
            assert node.put(M1, b"before", destinationType="edge").status == 204
            return node

        yield serve


pytestmark = pytest.mark.parametrize("new_parts", ["memory"], indirect=True)


def test_a_body_that_does_not_come_is_given_up(served_with: ServedWith) -> None:
    css = served_with(SLOW)
    with connected(css.address) as stalled, connected(css.address) as dripping:
        for connection in (stalled, dripping):
            connection.send_head("PUT", DATA, "Content-Length: 1000000")
            connection.send(b"some")
        _drip(dripping)
        for connection in (stalled, dripping):
            reply = connection.reply("PUT")
            assert reply is None or reply.status == 408
    assert css.call("GET", DATA).body == b"before"
    assert still_serves(css.address, M1)


def test_a_body_that_comes_slowly_but_steadily_is_taken(served_with: ServedWith) -> None:
    css = served_with(SLOW)
    with connected(css.address) as connection:
        connection.send_head("PUT", DATA, "Content-Length: 10000")
        for _ in range(10):
            connection.send(bytes(1000))
            time.sleep(0.15)
        reply = connection.reply("PUT")
    assert reply is not None
    assert reply.status == 204


def test_a_connection_that_is_kept_alive_is_no_slow_body(served_with: ServedWith) -> None:
    css = served_with(SLOW)
    with connected(css.address) as connection:
        for _ in range(4):
            connection.send_head("PUT", DATA, "Content-Length: 4")
            time.sleep(0.1)
            connection.send(b"some")
            reply = connection.reply("PUT")
            assert reply is not None
            assert reply.status == 204
            time.sleep(0.4)


def test_an_answer_nobody_takes_is_given_up_and_its_place_is_free_again(served_with: ServedWith) -> None:
    css = served_with(dataclasses.replace(SLOW, transfer_window_seconds=2, transfers_per_caller=1))
    assert css.call("PUT", DATA, bytes(16 << 20)).status == 204
    with connected(css.address) as reading_nothing:
        reading_nothing.set_receive_buffer(4096)
        reading_nothing.send_head("GET", DATA)
        _until(lambda: css.call("HEAD", DATA).status == 429)
        _until(lambda: css.call("HEAD", DATA).status == 200)
    assert css.call("GET", DATA).status == 200


def test_a_head_with_too_many_fields_is_refused(served_with: ServedWith) -> None:
    css = served_with(Load())
    with connected(css.address) as connection:
        connection.send_head("GET", M1, *[f"X-{number}: y" for number in range(1000)])
        reply = connection.reply()
        assert reply is not None
        assert reply.status == 400
        assert connection.is_closed_by_server()
    assert still_serves(css.address, M1)


def test_idle_connections_keep_nobody_out(served_with: ServedWith) -> None:
    css = served_with(Load(connections=20))
    with ExitStack() as resources:
        idle = [resources.enter_context(connected(css.address)) for _ in range(50)]
        assert still_serves(css.address, M1)
        assert idle[0].is_closed_by_server()


def test_an_address_with_too_many_connections_is_told_so(served_with: ServedWith) -> None:
    css = served_with(Load(connections_per_address=5, unlimited_addresses=()))
    with ExitStack() as resources:
        for _ in range(5):
            resources.enter_context(connected(css.address)).send(b"GET")
        _until(lambda: not _is_accepted(css.address))
    _until(lambda: still_serves(css.address, M1))


def test_an_address_with_too_many_requests_is_asked_to_come_back(served_with: ServedWith) -> None:
    css = served_with(Load(requests_per_second_per_address=1, unlimited_addresses=()))
    asked = [css.send(request("GET", M1, actor=None, headers=_PROBLEM)) for _ in range(15)]
    replies = [reply for each in asked if (reply := each.result(10)) is not None]
    assert [reply.status for reply in replies] == [403] * 9 + [429] * 6  # one was the PUT
    assert int(replies[-1].headers["retry-after"]) >= 1
    assert replies[-1].json()["type"] == "/docs/errors#too-many-requests"
    assert css.call("GET", "/livez", actor=None).status == 200


def test_a_caller_with_too_many_requests_is_asked_to_come_back(served_with: ServedWith) -> None:
    css = served_with(Load(requests_per_second=1))
    statuses = [css.call("GET", M1).status for _ in range(15)]
    assert statuses == [200] * 9 + [429] * 6  # one was the PUT
    assert css.call("GET", M1, actor="bea@o").status == 200


def test_uploads_beyond_the_limit_are_refused_until_one_ends(served_with: ServedWith) -> None:
    css = served_with(Load(uploads=2))
    with connected(css.address) as one, connected(css.address) as two:
        for connection in (one, two):
            connection.send_head("PUT", DATA, "Content-Length: 100000", "Expect: 100-continue")
            connection.wait_to_continue()
        assert css.call("PUT", DATA, b"new").status == 429
        one.reset()
        _until(lambda: css.call("PUT", DATA, b"new").status == 204)


@pytest.mark.parametrize(
    "bomb",
    [
        b'{"meta":{"destinationsList":[' + b'"a:b",' * 1_000_000 + b'"a:b"]}}',
        b'{"meta":' + b'{"x":' * 400_000,
        b"[" * 3_000_000,
        b'{"meta":{"destinationPolicy":{"services":[' + b"{}," * 1_000_000 + b"{}]}}}",
    ],
    ids=["strings", "nested objects", "nested lists", "objects"],
)
def test_a_body_of_very_many_values_is_refused_before_they_are_built(served_with: ServedWith, bomb: bytes) -> None:
    assert served_with(Load()).call("PUT", M1, bomb).status == 413


def _drip(connection: RawConnection) -> None:
    """A byte now and then, for longer than that is put up with."""
    try:
        for _ in range(15):
            time.sleep(0.1)
            connection.send(b".")
    except OSError:
        pass


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def _is_accepted(address: tuple[str, int]) -> bool:
    with connected(address) as connection:
        connection.send_head("GET", M1)
        reply = connection.reply()
        return reply is not None and reply.status == 200
