"""Requests that are held open end when the credentials they came with no longer count."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace

import pytest

from common.domain.principals import Role
from common.runtime.authentication.accounts import AccountAuthenticator
from common.runtime.authentication.secrets import hash_secret
from common.runtime.clock import SystemClock
from common.runtime.config.link import Link
from common.sync import wakeups
from common.sync.accounts import Accounts
from common.sync.records import Account
from tests.api.test_account_administration import ENGINES, SECRET, call, employ, post
from tests.support.event_source import EventSource
from tests.support.node_under_test import NodeUnderTest, Parts, a_css, request
from tests.support.requests_asgi import Call, Reply, basic

pytestmark = pytest.mark.parametrize("new_parts", ENGINES, indirect=True)

UPDATES = "/api/v1/objects/o/t"
#: Generous to a busy machine, and far from everything that happens by itself.
SOON_SECONDS = 8.0


@pytest.fixture
def css(new_parts: Callable[[str], Parts]) -> Iterator[NodeUnderTest]:
    clock = SystemClock()
    parts = replace(
        new_parts("css"),
        clock=clock,
        link=Link(poll_wait_seconds=50),
        authenticator=lambda database: AccountAuthenticator(database, clock.now_ms),
    )
    with closing(a_css(parts)) as node, node.served():
        employ(node)
        yield node
        for call, reply in _HELD:
            node.hang_up(call)
            reply.result(SOON_SECONDS)
        _HELD.clear()


#: What clients of the present test wait for.
_HELD: list[tuple[Call, Future[Reply | None]]] = []


def hold(css: NodeUnderTest, target: str, headers: dict[str, str]) -> Future[Reply | None]:
    call = request("GET", target, actor=None, headers={**headers, "prefer": "wait=50"})
    reply = css.send(call)
    _HELD.append((call, reply))
    return reply


def poll(css: NodeUnderTest) -> Future[Reply | None]:
    """Of the edge."""
    own = {"authorization": basic("edge@o", SECRET), "x-sync-service-dest": "o/edge/n1"}
    register = request("PUT", "/spi/v1/register-new/o/edge/n1", actor=None, headers=own)
    assert (reply := css.send(register).result(SOON_SECONDS)) is not None
    assert reply.status == 204
    return hold(css, "/spi/v1/objects/", own)


def wait_for_updates(css: NodeUnderTest, key: str = "user@o") -> Future[Reply | None]:
    return hold(css, UPDATES, {"authorization": basic(key, SECRET)})


def stream(css: NodeUnderTest, key: str = "user@o") -> EventSource:
    source = EventSource(css.address, UPDATES, actor=key, secret=SECRET)
    source.opened()
    return source


def assert_refused(reply: Future[Reply | None]) -> None:
    answer = reply.result(SOON_SECONDS)
    assert answer is not None
    assert (answer.status, answer.body) == (403, b"Unauthorized")


def test_what_is_open_ends_with_the_account(css: NodeUnderTest) -> None:
    edge, waiting = poll(css), wait_for_updates(css)
    other = wait_for_updates(css, "node@o")
    with stream(css) as events, stream(css, "admin@o") as others:
        time.sleep(0.2)
        assert not edge.done()
        assert not waiting.done()
        for key in ("edge@o", "user@o"):
            assert post(css, action="revoke", key=key).status == 200

        assert_refused(edge)
        assert_refused(waiting)
        events.wait_for_end()
        assert not other.done()
        assert others.update_within(0.7) is None
        assert not others.is_ended


@pytest.mark.parametrize("how", ["rotate", "remove", "another role"])
def test_whatever_takes_something_away_ends_what_is_open(css: NodeUnderTest, how: str) -> None:
    waiting = wait_for_updates(css)
    with stream(css) as events:
        time.sleep(0.1)
        match how:
            case "rotate":
                assert post(css, action="rotate", key="user@o").status == 200
            case "remove":
                assert call(css, "DELETE", "/api/v1/accounts/o?key=user@o").status == 204
            case _:
                account = Account("user@o", Role.NODE_USER, "o", "uma", hash_secret(SECRET), 0)
                css.database.write(lambda uow: Accounts(lambda: 0).put(uow, account))
        assert_refused(waiting)
        events.wait_for_end()


def test_nothing_else_is_disturbed(css: NodeUnderTest) -> None:
    edge = poll(css)
    with stream(css) as events:
        assert post(css, action="create", role="user").status == 200
        assert post(css, action="rotate", key="user@o", overlapSeconds=3600).status == 200
        assert post(css, action="revoke", key="other@o").status == 200
        css.wake(wakeups.ACCOUNTS)

        assert events.update_within(1.2) is None
        assert not events.is_ended
    assert not edge.done()


def test_a_lost_wake_up_costs_half_a_second(css: NodeUnderTest) -> None:
    """As when another replica could not be told: nobody is woken here."""
    waiting = wait_for_updates(css)
    time.sleep(0.1)
    css._hub.attach(None)  # wake-ups of commits go nowhere
    css.database.write(lambda uow: Accounts(lambda: 1).revoke(uow, None, "o", "user@o"))

    assert_refused(waiting)


def test_an_account_that_expires_ends_what_is_open(css: NodeUnderTest) -> None:
    account = Account("brief", Role.USER, "o", "b", hash_secret(SECRET), 0)
    account = replace(account, expires_at_ms=SystemClock().now_ms() + 1500)
    css.database.write(lambda uow: Accounts(lambda: 0).put(uow, account))
    waiting = wait_for_updates(css, "brief")
    with stream(css, "brief") as events:
        assert_refused(waiting)
        events.wait_for_end()
