"""Accounts by the interface: who may have them made, what is shown, and that an end is one at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from common.domain.instants import format_instant
from common.domain.principals import Role
from common.runtime.authentication.accounts import AccountAuthenticator
from common.runtime.authentication.secrets import hash_secret
from common.sync.accounts import Accounts
from common.sync.records import Account
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest, Parts, a_css, an_ess
from tests.support.requests_asgi import Reply, basic

SECRET = "a secret somebody chose"
ENGINES = ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
pytestmark = pytest.mark.parametrize("new_parts", ENGINES, indirect=True)

ACCOUNTS = "/api/v1/accounts/o"
#: By key, as `<role>@<org>`.
STAFF = {
    "root": (Role.SYNC_ADMIN, "", "root"),
    "admin@o": (Role.ADMIN, "o", "ann"),
    "other@o": (Role.ADMIN, "o", "amy"),
    "objects@o": (Role.OBJECT_ADMIN, "o", "olga"),
    "user@o": (Role.USER, "o", "uma"),
    "node@o": (Role.NODE_USER, "o", "node7"),
    "edge@o": (Role.EDGE_NODE, "o", "edge/n1"),
    "service@o": (Role.SERVICE, "o", "svc/1.0/camera"),
    "admin@x": (Role.ADMIN, "x", "xenia"),
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def css(new_parts: Callable[[str], Parts], clock: ManualClock) -> Iterator[NodeUnderTest]:
    with closing(a_css(on_accounts(new_parts("css"), clock))) as node:
        employ(node)
        yield node


@pytest.fixture
def ess(new_parts: Callable[[str], Parts], clock: ManualClock) -> Iterator[EdgeUnderTest]:
    with closing(an_ess(on_accounts(new_parts("ess"), clock))) as node:
        employ(node)
        yield node


def on_accounts(parts: Parts, clock: ManualClock) -> Parts:
    return replace(parts, authenticator=lambda database: AccountAuthenticator(database, clock.now_ms), clock=clock)


def employ(node: NodeUnderTest) -> None:
    secret_hash = hash_secret(SECRET)
    for key, (role, org, identity) in STAFF.items():
        account = Account(key, role, org, identity, secret_hash, NOW_MS)
        node.database.write(lambda uow, account=account: Accounts(lambda: NOW_MS).put(uow, account))  # type: ignore[misc]


def call(
    node: NodeUnderTest, method: str, target: str, body: Any = b"", *, key: str = "admin@o", secret: str = SECRET
) -> Reply:
    return node.call(method, target, body, actor=None, headers={"authorization": basic(key, secret)})


def post(node: NodeUnderTest, target: str = ACCOUNTS, *, by: str = "admin@o", **body: Any) -> Reply:
    return call(node, "POST", target, body, key=by)


def created(node: NodeUnderTest, target: str = ACCOUNTS, *, by: str = "admin@o", **body: Any) -> tuple[str, str]:
    """Key and secret of a new account."""
    reply = post(node, target, by=by, action="create", **body)
    assert reply.status == 200, reply.body
    answer = reply.json()
    return answer["key"], answer["secret"]


def is_let_in(node: NodeUnderTest, key: str, secret: str) -> bool:
    return call(node, "GET", "/api/v1/health", key=key, secret=secret).status == 200


def test_a_new_account_is_let_in_with_the_secret_that_was_shown(css: NodeUnderTest) -> None:
    key, secret = created(css, key="o/app-1", role="user")
    assert is_let_in(css, key, secret)

    shown = call(css, "GET", f"{ACCOUNTS}?key=o/app-1")
    assert shown.json()[0] == {
        "key": "o/app-1",
        "role": "user",
        "orgID": "o",
        "identity": "app-1",
        "createdAt": format_instant(NOW_MS),
        "rotatedAt": None,
        "previousSecretUntil": None,
        "expiresAt": None,
        "revokedAt": None,
    }
    everything = call(css, "GET", ACCOUNTS).body + shown.body + str(css.holdings().rows).encode()
    assert secret.encode() not in everything
    assert b"ecretHash" not in call(css, "GET", ACCOUNTS).body


def test_an_account_without_a_key_gets_one_that_says_whose_it_is(css: NodeUnderTest) -> None:
    key, secret = created(css, role="user")

    assert key.startswith("o/key-")
    assert is_let_in(css, key, secret)


def test_whoever_provisions_may_keep_the_secret_to_himself(css: NodeUnderTest) -> None:
    reply = post(css, action="create", key="o/app", role="user", secretHash=hash_secret("never sent"))

    assert (reply.status, "secret" in reply.json()) == (200, False)
    assert is_let_in(css, "o/app", "never sent")


@pytest.mark.parametrize("key", sorted(STAFF))
@pytest.mark.parametrize("org", ["o", "x", ""])
def test_accounts_are_managed_by_administrators_of_the_organization(css: NodeUnderTest, key: str, org: str) -> None:
    """Those of no organization by sync admins."""
    target = "/api/v1/accounts" + (f"/{org}" if org else "")
    may = key == "root" or (bool(org) and key in ("admin@o", "other@o", "admin@x") and key.endswith(f"@{org}"))
    role = "user" if org else "syncadmin"
    before = css.holdings().rows["accounts"]

    replies = [
        call(css, "GET", target, key=key).status,
        post(css, target, by=key, action="create", role=role).status,
        post(css, target, by=key, action="rotate", key="absent").status,
        post(css, target, by=key, action="revoke", key="absent").status,
        call(css, "DELETE", f"{target}?key=absent", key=key).status,
    ]

    assert replies == ([200, 200, 404, 404, 404] if may else [403] * 5)
    assert (css.holdings().rows["accounts"] == before) is not may


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("by", ["admin@o", "root"])
def test_nobody_gives_away_more_than_he_has(css: NodeUnderTest, role: Role, by: str) -> None:
    identity = {Role.EDGE_NODE: "edge/n9", Role.SERVICE: "s/1/n"}.get(role, "name")
    reply = post(css, by=by, action="create", key="o/new", role=role.value, identity=identity)

    # A sync admin belongs to no organization, whoever asks.
    expected = 200 if role is not Role.SYNC_ADMIN else 400
    assert reply.status == expected
    of_nobody = post(css, "/api/v1/accounts", by=by, action="create", role=role.value, identity=identity).status
    assert of_nobody == (403 if by != "root" else 200 if role is Role.SYNC_ADMIN else 400)


def test_a_sync_admin_is_out_of_reach_for_administrators(css: NodeUnderTest) -> None:
    """Also one whose account names an organization, as older databases may have it."""
    stray = Account("stray", Role.SYNC_ADMIN, "o", "stray", hash_secret(SECRET), NOW_MS)
    css.database.write(lambda uow: uow.accounts.save(stray))
    before = css.holdings().rows["accounts"]

    for key in ("stray", "root"):
        for action in ("rotate", "revoke"):
            assert post(css, action=action, key=key).status in (403, 404)
        assert call(css, "DELETE", f"{ACCOUNTS}?key={key}").status in (403, 404)
    assert css.holdings().rows["accounts"] == before


def test_what_others_have_is_neither_shown_nor_changed(css: NodeUnderTest) -> None:
    created(css, "/api/v1/accounts/x", by="admin@x", key="x/app", role="user")
    before = css.holdings().rows["accounts"]

    assert call(css, "GET", f"{ACCOUNTS}?key=x/app").status == 404
    assert [each["orgID"] for each in call(css, "GET", ACCOUNTS).json()] == ["o"] * 7
    for action in ("rotate", "revoke"):
        assert post(css, action=action, key="x/app").status == 404
    assert call(css, "DELETE", f"{ACCOUNTS}?key=x/app").status == 404
    assert css.holdings().rows["accounts"] == before


@pytest.mark.parametrize("key", ["x/app", "app", "root", "app@x", "x/app@o", "ox", "o", "@x"])
def test_a_key_that_could_be_somebody_elses_is_not_taken(css: NodeUnderTest, key: str) -> None:
    """Whether somebody has it or not: the answer is the same."""
    refused = post(css, action="create", key=key, role="user", identity="u")

    assert refused.status == 400
    assert b"o/" in refused.body


def test_a_key_that_is_taken_stays_with_its_owner(css: NodeUnderTest) -> None:
    _, secret = created(css, key="o/app", role="user")

    assert post(css, action="create", key="o/app", role="admin", identity="eve").status == 409
    assert is_let_in(css, "o/app", secret)
    assert call(css, "GET", f"{ACCOUNTS}?key=o/app").json()[0]["role"] == "user"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "promote", "key": "o/a"},
        {"action": "create", "key": "o/a"},
        {"action": "create", "key": "o/a", "role": "emperor"},
        {"action": "create", "key": "o/a:b", "role": "user"},
        {"action": "create", "key": "o/\x00", "role": "user"},
        {"action": "create", "key": "o/" + "a" * 500, "role": "user"},
        {"action": "create", "key": "o/a", "role": "edgenode", "identity": "n1"},
        {"action": "create", "key": "o/a", "role": "edgenode", "identity": "edge/.."},
        {"action": "create", "key": "o/a", "role": "user", "identity": "<b>"},
        {"action": "create", "key": "o/a", "role": "user", "expires": "tomorrow"},
        {"action": "create", "key": "o/a", "role": "user", "expires": "2001-01-01T00:00:00Z"},
        {"action": "create", "key": "o/a", "role": "user", "secretHash": "md5$1$2"},
        {"action": "create", "key": "o/a", "role": "user", "secret": "mine"},
        {"action": "rotate", "key": "admin@o", "overlapSeconds": -1},
        {"action": "rotate", "key": "admin@o", "overlapSeconds": 10**9},
        {"action": "rotate", "key": "admin@o", "overlapSeconds": 1.5},
        {"action": "rotate"},
        {"action": "revoke", "key": 7},
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_a_malformed_request_changes_nothing(css: NodeUnderTest, body: dict[str, Any]) -> None:
    before = css.holdings().rows["accounts"]

    assert call(css, "POST", ACCOUNTS, body).status == 400
    assert css.holdings().rows["accounts"] == before


def test_a_rotated_secret_counts_at_once_and_the_old_one_no_more(css: NodeUnderTest) -> None:
    key, old = created(css, key="o/app", role="user")
    assert is_let_in(css, key, old)
    new = post(css, action="rotate", key=key).json()["secret"]

    assert (is_let_in(css, key, new), is_let_in(css, key, old)) == (True, False)


def test_during_an_overlap_both_secrets_count(css: NodeUnderTest, clock: ManualClock) -> None:
    key, old = created(css, key="o/app", role="user")
    new = post(css, action="rotate", key=key, overlapSeconds=3600).json()["secret"]
    assert (is_let_in(css, key, new), is_let_in(css, key, old)) == (True, True)
    clock.advance(seconds=3599)
    assert is_let_in(css, key, old)
    clock.advance(seconds=1)

    assert (is_let_in(css, key, new), is_let_in(css, key, old)) == (True, False)


def test_a_second_rotation_ends_the_first_secret(css: NodeUnderTest) -> None:
    key, first = created(css, key="o/app", role="user")
    second = post(css, action="rotate", key=key, overlapSeconds=3600).json()["secret"]
    third = post(css, action="rotate", key=key, overlapSeconds=3600).json()["secret"]

    assert [is_let_in(css, key, secret) for secret in (first, second, third)] == [False, True, True]


def test_a_revoked_account_is_refused_at_once_and_keeps_its_key(css: NodeUnderTest) -> None:
    key, secret = created(css, key="o/app", role="user")
    assert is_let_in(css, key, secret)
    revoked = post(css, action="revoke", key=key)

    assert (revoked.status, revoked.json()["revokedAt"] is not None) == (200, True)
    assert not is_let_in(css, key, secret)
    assert post(css, action="rotate", key=key).status == 400
    assert post(css, action="create", key=key, role="user").status == 409
    assert post(css, action="revoke", key=key).json() == revoked.json()
    assert call(css, "DELETE", f"{ACCOUNTS}?key={key}").status == 204
    assert created(css, key=key, role="user")[1] != secret


def test_revoking_ends_the_secret_of_an_overlap_too(css: NodeUnderTest) -> None:
    key, old = created(css, key="o/app", role="user")
    post(css, action="rotate", key=key, overlapSeconds=3600)
    assert is_let_in(css, key, old)
    post(css, action="revoke", key=key)

    assert not is_let_in(css, key, old)


def test_an_account_expires_by_itself(css: NodeUnderTest, clock: ManualClock) -> None:
    key, secret = created(css, key="o/guest", role="user", expires=format_instant(clock.now_ms() + 60_000))
    clock.advance(seconds=58)
    assert is_let_in(css, key, secret)
    clock.advance(seconds=3)

    assert not is_let_in(css, key, secret)


def test_a_list_comes_in_pages(css: NodeUnderTest) -> None:
    for number in range(5):
        created(css, key=f"o/app-{number}", role="user")
    whole = call(css, "GET", ACCOUNTS).json()
    seen: list[Any] = []
    target: str | None = f"{ACCOUNTS}?limit=3"
    while target:
        page = call(css, "GET", target)
        seen += page.json()
        target = page.headers["link"].split(">")[0][1:] if "link" in page.headers else None

    assert seen == whole
    assert len(whole) == 12


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("PUT", ACCOUNTS, 405),
        ("PATCH", ACCOUNTS, 405),
        ("GET", f"{ACCOUNTS}/more", 400),
        ("GET", "/api/v1/accounts/%3Cb%3E", 400),
        ("DELETE", ACCOUNTS, 400),
        ("DELETE", f"{ACCOUNTS}?key=%00", 404),
        ("GET", f"{ACCOUNTS}?key=%00", 404),
    ],
)
def test_what_there_is_not(css: NodeUnderTest, method: str, target: str, status: int) -> None:
    assert call(css, method, target).status == status


def test_an_edge_manages_the_accounts_of_its_organization(ess: EdgeUnderTest) -> None:
    key, secret = created(ess, "/api/v1/accounts", key="app", role="service", identity="svc/1.0.0/camera")

    assert call(ess, "GET", "/api/v1/objects/t?all_objects=true", key=key, secret=secret).status == 404
    assert post(ess, "/api/v1/accounts", action="revoke", key=key).status == 200
    assert not is_let_in(ess, key, secret)
    assert call(ess, "GET", "/api/v1/accounts", key="user@o").status == 403
    assert call(ess, "GET", "/api/v1/accounts/o").status == 400
