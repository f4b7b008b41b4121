"""The long poll of capability `wait` (docs/wire-protocol.md, wire-protocol 8.1): held until there is something to tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from common.runtime.clock import SystemClock
from common.runtime.config.link import Link
from tests.support.node_under_test import NodeUnderTest, Parts, a_css, request
from tests.support.requests_asgi import Call
from tests.support.requests_node import EDGE, OTHER_EDGE, poll, register

M1 = "/api/v1/objects/o/t/m1"
#: How long a poll that should not wait may take on a busy machine.
SOON_SECONDS = 2.0


@pytest.fixture
def css(new_parts: Callable[[str], Parts]) -> Iterator[NodeUnderTest]:
    with closing(a_css(replace(new_parts("css"), clock=SystemClock(), link=Link(poll_wait_seconds=20)))) as node:
        register(node)
        yield node


def waiting(prefer: str = "wait=20", node: tuple[str, str, str] = EDGE) -> Call:
    headers = {"x-sync-service-dest": "/".join(node), "prefer": prefer}
    return request("GET", "/spi/v1/objects/", actor="/".join(node), headers=headers)


def test_a_waiting_poll_hears_of_an_update_at_once(css: NodeUnderTest) -> None:
    reply = css.send(waiting())
    time.sleep(0.1)
    assert not reply.done()
    started = time.monotonic()
    css.put(M1, b"x", destinationType="edge")

    answer = reply.result(SOON_SECONDS)
    assert answer is not None
    assert [item["Type"] for item in answer.json()] == ["update"]
    assert time.monotonic() - started < SOON_SECONDS


def test_a_waiting_poll_does_not_hear_of_what_is_for_others(css: NodeUnderTest) -> None:
    register(css, OTHER_EDGE)
    reply = css.send(waiting())
    css.put(M1, b"x", destinationType="edge", destinationID="n2")
    time.sleep(0.2)

    assert not reply.done()
    assert len(poll(css, OTHER_EDGE)) == 1
    css.put(M1, b"y", destinationType="edge", destinationID="n1")
    assert reply.result(SOON_SECONDS) is not None


def test_a_poll_with_something_due_does_not_wait(css: NodeUnderTest) -> None:
    css.put(M1, b"x", destinationType="edge")

    answer = css.send(waiting()).result(SOON_SECONDS)
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize(
    "prefer", ["", "wait=0", "wait", "wait=", "wait=x", "wait=-5", "return=minimal", "wait=1e9", "wait=٣"]
)
def test_a_poll_that_asks_for_no_wait_gets_none(css: NodeUnderTest, prefer: str) -> None:
    """A preference that cannot be read is ignored (RFC 7240)."""
    call = waiting(prefer.encode().decode("latin-1"))
    answer = css.send(call).result(SOON_SECONDS)
    assert answer is not None
    assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize("prefer", ["wait=1", "WAIT=1", "handling=lenient, wait=1", " wait = 1 "])
def test_a_wait_ends_by_itself(css: NodeUnderTest, prefer: str) -> None:
    started = time.monotonic()
    answer = css.send(waiting(prefer)).result(20)

    assert answer is not None
    assert (answer.status, answer.body) == (204, b"")
    assert 0.8 < time.monotonic() - started < 1 + SOON_SECONDS


def test_a_wait_is_no_longer_than_the_cloud_allows(new_parts: Callable[[str], Parts]) -> None:
    with closing(a_css(replace(new_parts("b"), clock=SystemClock(), link=Link(poll_wait_seconds=1)))) as css:
        register(css)
        for prefer in ("wait=3600", "wait=" + "9" * 400):
            answer = css.send(waiting(prefer)).result(1 + SOON_SECONDS)
            assert answer is not None
            assert answer.status == 204


def test_nothing_is_taken_for_a_client_that_hung_up(css: NodeUnderTest) -> None:
    call = waiting()
    reply = css.send(call)
    time.sleep(0.1)
    css.hang_up(call)
    reply.result(SOON_SECONDS)
    css.put(M1, b"x", destinationType="edge")

    assert [item["Type"] for item in poll(css)] == ["update"]


def test_waiting_polls_hold_no_thread(css: NodeUnderTest) -> None:
    """Many more of them than there are threads, and everything else goes on."""
    calls = [waiting() for _ in range(40)]
    replies = [css.send(call) for call in calls]
    time.sleep(0.2)
    started = time.monotonic()
    assert css.put("/api/v1/objects/o/t/m2", b"x", destinationType="nowhere").status == 204
    assert time.monotonic() - started < SOON_SECONDS
    assert not any(reply.done() for reply in replies)
    for call in calls:
        css.hang_up(call)
    for reply in replies:
        reply.result(SOON_SECONDS)


def test_a_stopping_cloud_answers_waiting_polls_at_once(css: NodeUnderTest) -> None:
    reply = css.send(waiting())
    time.sleep(0.1)
    css.draining.begin()

    answer = reply.result(SOON_SECONDS)
    assert answer is not None
    assert answer.status == 204
