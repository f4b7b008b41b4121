"""The updated list held open until there is something in it (docs/events.md)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace

import pytest

from common.runtime.clock import SystemClock
from tests.support.node_under_test import EdgeUnderTest, Parts, an_ess, request
from tests.support.requests_asgi import Call, Reply

LIST = "/api/v1/objects/t"
SOON_SECONDS = 5.0


@pytest.fixture
def ess(new_parts: Callable[[str], Parts]) -> Iterator[EdgeUnderTest]:
    with closing(an_ess(replace(new_parts("ess"), clock=SystemClock()))) as node:
        yield node


def waiting(prefer: str = "wait=20", known: str = "", target: str = LIST) -> Call:
    headers = {"prefer": prefer} | ({"if-none-match": known} if known else {})
    return request("GET", target, headers=headers)


def answer(reply: Future[Reply | None], seconds: float = SOON_SECONDS) -> Reply:
    found = reply.result(seconds)
    assert found is not None
    return found


def names(reply: Reply) -> list[str]:
    return [each["objectID"] for each in reply.json()]


def test_a_waiting_request_is_answered_as_soon_as_something_arrives(ess: EdgeUnderTest) -> None:
    reply = ess.send(waiting())
    time.sleep(0.1)
    assert not reply.done()
    ess.receive("a")

    found = answer(reply)
    assert (found.status, names(found)) == (200, ["a"])
    assert found.headers["preference-applied"] == "wait"


def test_a_list_with_something_in_it_does_not_wait(ess: EdgeUnderTest) -> None:
    ess.receive("a")

    assert names(answer(ess.send(waiting()))) == ["a"]


def test_what_arrives_for_others_wakes_nobody(ess: EdgeUnderTest) -> None:
    reply = ess.send(waiting())
    ess.receive("x", object_type="other")
    time.sleep(0.1)

    assert not reply.done()
    ess.receive("a")
    assert names(answer(reply)) == ["a"]


def test_an_empty_list_is_answered_as_always_when_the_time_is_up(ess: EdgeUnderTest) -> None:
    found = answer(ess.send(waiting("wait=1")))

    assert (found.status, found.body) == (404, b"")


@pytest.mark.parametrize("prefer", ["", "wait=0", "wait", "wait=x", "wait=-1", "respond-async"])
def test_a_request_that_asks_for_no_wait_gets_none(ess: EdgeUnderTest, prefer: str) -> None:
    found = answer(ess.send(waiting(prefer)))

    assert found.status == 404
    assert "preference-applied" not in found.headers


def test_a_list_that_is_known_is_not_sent_again(ess: EdgeUnderTest) -> None:
    ess.receive("a")
    tag = ess.call("GET", LIST).headers["etag"]

    found = ess.call("GET", LIST, headers={"if-none-match": tag})
    assert (found.status, found.body, found.headers["etag"]) == (304, b"", tag)
    ess.receive("b")
    assert ess.call("GET", LIST, headers={"if-none-match": tag}).status == 200


def test_every_change_of_the_list_changes_its_tag(ess: EdgeUnderTest) -> None:
    tags = []
    for change in (
        lambda: ess.receive("a"),
        lambda: ess.receive("b"),
        lambda: ess.receive("a", instance_id=2),
        lambda: ess.call("PUT", f"{LIST}/b/received"),
        lambda: ess.lose("a", instance_id=3),
        lambda: ess.call("PUT", f"{LIST}/a/deleted"),
    ):
        change()
        tags.append(ess.call("GET", LIST).headers["etag"])

    assert len(set(tags)) == len(tags)


def test_with_a_known_list_a_request_waits_until_it_differs(ess: EdgeUnderTest) -> None:
    ess.receive("a")
    tag = ess.call("GET", LIST).headers["etag"]
    reply = ess.send(waiting(known=tag))
    time.sleep(0.1)
    assert not reply.done()
    ess.receive("b")

    assert names(answer(reply)) == ["a", "b"]


def test_a_known_list_that_stays_as_it_is_ends_the_wait_with_304(ess: EdgeUnderTest) -> None:
    ess.receive("a")
    tag = ess.call("GET", LIST).headers["etag"]
    found = answer(ess.send(waiting("wait=1", tag)))

    assert (found.status, found.headers["etag"]) == (304, tag)
    assert found.headers["preference-applied"] == "wait"


def test_a_known_list_that_is_empty_now_is_news(ess: EdgeUnderTest) -> None:
    ess.receive("a")
    tag = ess.call("GET", LIST).headers["etag"]
    ess.call("PUT", f"{LIST}/a/consumed")
    found = answer(ess.send(waiting(known=tag)))

    assert found.status == 404
    assert answer(ess.send(waiting("wait=1", found.headers["etag"]))).status == 404


def test_nothing_is_held_for_a_client_that_hung_up(ess: EdgeUnderTest) -> None:
    call = waiting()
    reply = ess.send(call)
    time.sleep(0.1)
    ess.hang_up(call)
    reply.result(SOON_SECONDS)

    assert not any(topic.startswith("objects:") for topic in ess._hub._tasks)


def test_waiting_requests_hold_no_thread(ess: EdgeUnderTest) -> None:
    """Many more of them than there are threads, and everything else goes on."""
    replies = [ess.send(waiting()) for _ in range(60)]
    time.sleep(0.2)
    assert ess.put("/api/v1/objects/t/own", b"x").status == 204
    assert not any(reply.done() for reply in replies)
    ess.receive("a")

    assert [names(answer(reply)) for reply in replies] == [["a"]] * 60


def test_a_stopping_service_answers_waiting_requests_at_once(ess: EdgeUnderTest) -> None:
    reply = ess.send(waiting())
    time.sleep(0.1)
    ess.draining.begin()

    assert answer(reply).status == 404


def test_a_malformed_condition_is_refused(ess: EdgeUnderTest) -> None:
    ess.receive("a")

    assert ess.call("GET", LIST, headers={"if-none-match": "unquoted"}).status == 400
