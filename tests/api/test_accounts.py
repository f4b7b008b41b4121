"""Accounts of the database on both interfaces: hashed keys, and how soon a change counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from common.domain.principals import Role
from common.runtime.authentication.accounts import AccountAuthenticator
from common.runtime.authentication.first_start import create_first_administrator
from common.runtime.authentication.secrets import hash_secret
from common.sync.accounts import Accounts
from common.sync.ports import Clock
from common.sync.records import Account
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.node_under_test import NodeUnderTest, Parts, a_css
from tests.support.requests_asgi import basic
from tests.support.requests_node import as_node

M1 = "/api/v1/objects/o/t/m1"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def css(new_parts: Callable[[str], Parts], clock: ManualClock) -> Iterator[NodeUnderTest]:
    """A CSS with an administrator of `o` and the account of one edge."""
    with closing(a_css(on_accounts(new_parts("css"), clock))) as node:
        give(node, "publisher", Role.ADMIN, "ann", "right")
        give(node, "camera-17", Role.EDGE_NODE, "edge/n1", "edge-secret")
        yield node


def on_accounts(parts: Parts, clock: Clock) -> Parts:
    return replace(parts, authenticator=lambda database: AccountAuthenticator(database, clock.now_ms), clock=clock)


def give(css: NodeUnderTest, app_key: str, role: Role, identity: str, secret: str, org: str = "o") -> None:
    account = Account(app_key, role, org, identity, hash_secret(secret), NOW_MS)
    css.database.write(lambda uow: Accounts(lambda: NOW_MS).put(uow, account))


def status(css: NodeUnderTest, app_key: str, secret: str, target: str = "/api/v1/objects/o/t?all_objects=true") -> int:
    return css.call("GET", target, actor=None, headers={"authorization": basic(app_key, secret)}).status


@pytest.mark.parametrize(
    ("app_key", "secret", "is_let_in"),
    [
        ("publisher", "right", True),
        ("publisher", "wrong", False),
        ("publisher", "", False),
        ("publisher", "right ", False),
        ("publisher", "right\0", False),
        ("Publisher", "right", False),
        ("nobody", "right", False),
        ("publisher:right", "", False),
        ("ann@o", "right", False),
        ("o/edge/n1", "edge-secret", False),
        ("camera-17", "edge-secret", False),
    ],
)
def test_only_the_right_secret_lets_in(css: NodeUnderTest, app_key: str, secret: str, is_let_in: bool) -> None:
    for _ in range(2):  # a wrong secret neither hits nor evicts what is remembered
        assert status(css, app_key, secret) == (404 if is_let_in else 403)
        assert status(css, "publisher", "right") == 404


def test_a_secret_may_have_colons_and_any_alphabet(css: NodeUnderTest) -> None:
    give(css, "odd", Role.ADMIN, "odd", "a:b:ж")

    assert status(css, "odd", "a:b:ж") == 404
    assert status(css, "odd", "a") == 403


def test_a_node_is_who_its_account_says(css: NodeUnderTest) -> None:
    own = {"authorization": basic("camera-17", "edge-secret")}
    assert as_node(css, "PUT", "register-new/", headers=own).status == 204
    for claimed in ("o/edge/n2", "x/edge/n1"):
        reply = as_node(css, "PUT", "register-new/", headers={**own, "X-Sync-Service-Dest": claimed})
        assert (reply.status, reply.body) == (403, b"Unauthorized")


def test_a_changed_or_removed_account_counts_within_a_second(css: NodeUnderTest, clock: ManualClock) -> None:
    """Also when nobody is told: as after a lost wake-up of another replica."""
    assert status(css, "publisher", "right") == 404
    give(css, "publisher", Role.ADMIN, "ann", "changed")
    assert status(css, "publisher", "changed") == 404
    clock.advance(seconds=1)
    assert status(css, "publisher", "right") == 403
    css.database.write(lambda uow: Accounts(lambda: NOW_MS).remove(uow, None, None, "publisher"))
    clock.advance(seconds=1)

    assert status(css, "publisher", "changed") == 403


def test_a_first_start_lets_one_administrator_in(new_parts: Callable[[str], Parts]) -> None:
    with closing(a_css(on_accounts(new_parts("fresh"), ManualClock()))) as css:
        assert status(css, "admin", "admin") == 403
        shown = create_first_administrator(css.database, Role.SYNC_ADMIN, "", NOW_MS)
        assert shown is not None
        app_key, secret = re.findall(r"app (?:key|secret): +(\S+)", shown)
        assert status(css, app_key, secret) == 404
        assert create_first_administrator(css.database, Role.SYNC_ADMIN, "", NOW_MS) is None
        assert secret not in str(css.holdings().rows)


def test_who_wrote_an_object_is_told_by_the_account(css: NodeUnderTest) -> None:
    headers = {"authorization": basic("publisher", "right")}
    body = {"meta": {"objectID": "m1", "objectType": "t", "ownerID": "o/eve"}, "data": "eA=="}
    assert css.call("PUT", M1, body, actor=None, headers=headers).status == 204

    assert css.call("GET", M1, actor=None, headers=headers).json()["ownerID"] == "o/ann"
