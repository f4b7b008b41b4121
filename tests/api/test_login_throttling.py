"""Whoever guesses gets slower answers; whoever has the right secret does not notice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from common.domain.errors import NotAuthenticated
from common.runtime.config.identity import Authentication
from common.sync.authentication import Identified
from tests.api.test_account_administration import SECRET, employ, is_let_in, on_accounts
from tests.support.manual_clock import ManualClock
from tests.support.node_under_test import NodeUnderTest, Parts, a_css, request, wait_until
from tests.support.requests_asgi import Reply, basic

pytestmark = pytest.mark.parametrize("new_parts", ["memory"], indirect=True)

FREE = Authentication().free_failures
HEALTH = "/api/v1/health"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def css(new_parts: Callable[[str], Parts], clock: ManualClock) -> Iterator[NodeUnderTest]:
    with closing(a_css(on_accounts(new_parts("css"), clock))) as node:
        employ(node)
        yield node


def attempt(css: NodeUnderTest, secret: str, *, key: str = "user@o", address: str = "192.0.2.1") -> Reply:
    call = request("GET", HEALTH, actor=None, headers={"authorization": basic(key, secret)})
    call.client = (address, 40000)
    reply = css.send(call).result(30)
    assert reply is not None
    return reply


def guess(css: NodeUnderTest, times: int, *, key: str = "user@o", address: str = "192.0.2.1") -> list[int]:
    return [attempt(css, f"es1_guess{number}", key=key, address=address).status for number in range(times)]


def test_guesses_are_answered_as_ever_and_then_put_off(css: NodeUnderTest) -> None:
    assert guess(css, FREE + 1) == [403] * (FREE + 1)
    refused = attempt(css, "es1_another")

    assert (refused.status, refused.headers["retry-after"]) == (429, "1")


@pytest.mark.parametrize("key", ["user@o", "nobody"])
def test_keys_that_nobody_has_are_treated_alike(css: NodeUnderTest, key: str) -> None:
    assert guess(css, FREE + 2, key=key) == [403] * (FREE + 1) + [429]


def test_the_right_secret_counts_from_everywhere_else(css: NodeUnderTest) -> None:
    guess(css, FREE + 5)

    assert attempt(css, SECRET).status == 429
    assert attempt(css, SECRET, address="198.51.100.7").status == 200


def test_whoever_was_in_stays_in_whatever_others_at_his_address_do(css: NodeUnderTest, clock: ManualClock) -> None:
    """Also when what is remembered of him has to be looked up again."""
    assert attempt(css, SECRET).status == 200
    guess(css, FREE + 5)
    clock.advance(seconds=3600)
    guess(css, FREE + 5)

    assert attempt(css, "es1_guess").status == 429
    assert attempt(css, SECRET).status == 200


def test_the_right_secret_is_heard_after_the_wait(css: NodeUnderTest, clock: ManualClock) -> None:
    guess(css, FREE + 1)
    assert attempt(css, SECRET).status == 429
    clock.advance(seconds=1)

    assert attempt(css, SECRET).status == 200
    assert guess(css, FREE) == [403] * FREE


def test_requests_without_credentials_are_no_guesses(css: NodeUnderTest) -> None:
    for header in ({}, {"authorization": "Basic"}, {"authorization": "Basic !"}, {"authorization": "Digest x"}):
        for _ in range(FREE + 5):
            assert css.call("GET", HEALTH, actor=None, headers=header).status == 403

    assert is_let_in(css, "user@o", SECRET)


def test_no_more_than_a_few_secrets_are_checked_at_a_time(new_parts: Callable[[str], Parts]) -> None:
    """Other requests have threads left, however many strangers try."""
    slow = Slow()
    with closing(a_css(replace(new_parts("slow"), authenticator=lambda _: slow))) as css:
        calls = [request("GET", HEALTH, actor=f"key-{number}") for number in range(12)]
        replies = [css.send(call) for call in calls]
        assert css.call("GET", "/livez", actor=None).status == 200
        slow.go.set()

        assert {reply.status for each in replies if (reply := each.result(30))} == {403}
    assert slow.most <= 3


def test_guesses_at_the_same_time_are_as_many_as_one_after_another(css: NodeUnderTest) -> None:
    calls = [
        request("GET", HEALTH, actor=None, headers={"authorization": basic("user@o", f"es1_guess{number}")})
        for number in range(4 * FREE)
    ]
    statuses = [reply.status for each in [css.send(call) for call in calls] if (reply := each.result(30))]

    assert statuses.count(403) <= FREE + 3
    assert statuses.count(403) + statuses.count(429) == 4 * FREE


def test_a_check_that_hangs_holds_up_logins_only(
    new_parts: Callable[[str], Parts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.rest.gate._CHECK_SECONDS", 0.1)
    slow = Slow()
    with closing(a_css(replace(new_parts("slow"), authenticator=lambda _: slow))) as css:
        replies = [css.call("GET", HEALTH, actor=f"key-{number}") for number in range(6)]
        assert {reply.status for reply in replies} == {503}
        assert css.call("GET", "/readyz", actor=None).status == 200
        slow.go.set()
        wait_until(lambda: css.call("GET", HEALTH, actor="key").status == 403)
    assert slow.most <= 3


class Slow:
    """An authenticator that takes its time."""

    checks_secrets = True

    def __init__(self) -> None:
        self.go = threading.Event()
        self.most = 0
        self._checking = 0
        self._lock = threading.Lock()

    def authenticate(self, app_key: str, secret: str) -> Identified:
        with self._lock:
            self._checking += 1
            self.most = max(self.most, self._checking)
        self.go.wait(10)
        with self._lock:
            self._checking -= 1
        raise NotAuthenticated

    def generation(self) -> None: ...
