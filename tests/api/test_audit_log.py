"""Who changed what is written down with the change, and shown to those who administer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from common.rest.shutdown import ShutdownApi
from common.sync.groups import Group
from tests.api.test_account_administration import STAFF, call, employ, on_accounts, post
from tests.support.manual_clock import ManualClock
from tests.support.node_under_test import NodeUnderTest, Parts, a_css, an_ess

LOG = "/api/v1/audit/o"
OWN = f"admin {STAFF['admin@o'][1]}/{STAFF['admin@o'][2]}"
Change = tuple[str, str, Any, str, str]

#: Method, target, body, and what is written down: action and target.
CHANGES: list[Change] = [
    ("POST", "/api/v1/accounts/o", {"action": "create", "key": "o/app", "role": "user"}, "account.create", "o/app (user)"),
    ("POST", "/api/v1/accounts/o", {"action": "rotate", "key": "user@o"}, "account.rotate", "user@o"),
    ("POST", "/api/v1/accounts/o", {"action": "revoke", "key": "user@o"}, "account.revoke", "user@o"),
    ("DELETE", "/api/v1/accounts/o?key=user@o", b"", "account.remove", "user@o"),
    (
        "PUT",
        "/api/v1/security/objects/o/t",
        {"action": "add", "users": [{"Username": "u", "ACLUserType": "user", "ACLRole": "aclReader"}]},
        "access.add",
        "objects/t: user u",
    ),
    (
        "PUT",
        "/api/v1/security/destinations/o",
        {"action": "remove", "users": [{"Username": "u", "ACLUserType": "node"}]},
        "access.remove",
        "destinations/*: node u",
    ),
    ("DELETE", "/api/v1/security/objects/o/t/user/u", b"", "access.remove", "objects/t: user u"),
    ("PUT", "/api/v1/organizations/o", {"orgID": "o", "password": "broker-secret"}, "organization.put", "o"),
    ("DELETE", "/api/v1/organizations/o", b"", "organization.remove", "o"),
    ("PUT", "/api/v1/groups/o/g", {"members": ["edge:n1"]}, "group.put", "g"),
    ("DELETE", "/api/v1/groups/o/old", b"", "group.remove", "old"),
    ("PUT", "/api/v1/destinations/o/edge/n1/labels", {"site": "lab"}, "labels.change", "edge:n1"),
    ("PATCH", "/api/v1/destinations/o/edge/n1/labels", {"site": None}, "labels.change", "edge:n1"),
    ("PUT", "/api/v1/placement/o", {"placement": "builtin"}, "placement.choose", "builtin"),
    (
        "PUT",
        "/api/v1/objects/o/t",
        {"action": "register", "url": "https://hooks.example/a?token=hidden-token", "secret": "whsec_aGlkZGVuLXNlY3JldC1vZi1ob29rcw=="},
        "webhook.register",
        "t https://hooks.example",
    ),
    ("PUT", "/api/v1/objects/o/t", {"action": "delete", "url": "https://hooks.example/a"}, "webhook.remove", "t https://hooks.example"),
    ("POST", "/api/v1/webhooks/o/dead/replay", b"", "webhook.replay", "all dead letters"),
]  # fmt: skip


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def css(new_parts: Callable[[str], Parts], clock: ManualClock) -> Iterator[NodeUnderTest]:
    with closing(a_css(on_accounts(new_parts("css"), clock))) as node:
        employ(node)
        # A change that goes wrong halfway should not end here because there is nothing to change.
        node.database.write(lambda uow: uow.groups.save(Group("o", "old"), []))
        yield node


def entries(node: NodeUnderTest, target: str = LOG, key: str = "admin@o") -> list[dict[str, str]]:
    reply = call(node, "GET", target, key=key)
    assert reply.status == 200
    found: list[dict[str, str]] = reply.json()
    return found


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change[0]} {change[3]}")
def test_a_change_is_written_down_with_who_and_from_where(css: NodeUnderTest, change: Change) -> None:
    method, target, body, action, about = change
    assert call(css, method, target, body).status in (200, 204)

    (entry,) = entries(css)
    assert entry == {
        "at": entry["at"],
        "principal": OWN,
        "address": "127.0.0.1",
        "action": action,
        "target": about,
        "outcome": "done",
    }
    assert not {word for word in ("broker-secret", "hidden-token", "aGlkZGVu") if word in str(entry)}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change[0]} {change[3]}")
def test_a_change_that_cannot_be_written_down_is_not_made(
    css: NodeUnderTest, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("no room")

    before = css.holdings()
    with monkeypatch.context() as patched:
        patched.setattr("tests.support.memory_audit.MemoryAuditStore.add", full)
        patched.setattr("common.store.audit.SqlAudit.add", full)
        method, target, body, *_ = change
        assert call(css, method, target, body).status == 500

    assert css.holdings() == before


@pytest.mark.parametrize("key", ["user@o", "objects@o", "node@o", "service@o", "admin@x"])
def test_refused_attempts_are_written_down_where_the_caller_belongs(css: NodeUnderTest, key: str) -> None:
    attempts = [change for change in CHANGES if not change[1].startswith("/api/v1/objects")]
    for method, target, body, *_ in attempts:
        assert call(css, method, target, body, key=key).status == 403
    org = STAFF[key][1]

    written = entries(css, f"/api/v1/audit/{org}", key=f"admin@{org}")
    assert {(each["outcome"], each["principal"].split()[0]) for each in written} == {("refused", STAFF[key][0].value)}
    paths = [target.partition("?")[0] for _, target, *_ in attempts]
    assert [(each["action"], each["target"]) for each in reversed(written)] == [
        (change[0], path) for change, path in zip(attempts, paths, strict=True)
    ]
    other = {"o": "x", "x": "o"}[org]
    assert entries(css, f"/api/v1/audit/{other}", key=f"admin@{other}") == []


def test_reading_and_failed_logins_leave_no_entry(css: NodeUnderTest) -> None:
    call(css, "GET", "/api/v1/accounts/o", key="user@o")
    call(css, "POST", "/api/v1/accounts/o", {"action": "create"}, secret="wrong")

    assert entries(css) == []


def test_what_goes_wrong_changes_nothing_and_leaves_no_entry(css: NodeUnderTest) -> None:
    assert post(css, action="revoke", key="absent").status == 404
    assert post(css, action="create", key="o/a", role="emperor").status == 400

    assert entries(css) == []


@pytest.mark.parametrize("key", sorted(STAFF))
@pytest.mark.parametrize("org", ["o", "x", ""])
def test_the_log_is_shown_to_administrators_of_the_organization(css: NodeUnderTest, key: str, org: str) -> None:
    may = key == "root" or (bool(org) and STAFF[key][0].value == "admin" and STAFF[key][1] == org)

    reply = call(css, "GET", "/api/v1/audit" + (f"/{org}" if org else ""), key=key)
    assert reply.status == (200 if may else 403)


def test_a_shutdown_is_written_down_for_the_whole_service(css: NodeUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stay(*_: object) -> None: ...

    monkeypatch.setattr(ShutdownApi, "_wind_down", stay)
    assert call(css, "POST", "/api/v1/shutdown?quiesce=0", key="root").status == 204

    (entry,) = entries(css, "/api/v1/audit", key="root")
    assert (entry["action"], entry["principal"]) == ("shutdown", "syncadmin /root")


def test_the_log_comes_in_pages_latest_first(css: NodeUnderTest, clock: ManualClock) -> None:
    for number in range(5):
        call(css, "PUT", f"/api/v1/groups/o/g{number}", {"members": []})
        clock.advance(seconds=1)
    first = call(css, "GET", f"{LOG}?limit=3")
    second = call(css, "GET", first.headers["link"].split(">")[0][1:])

    assert [each["target"] for each in first.json() + second.json()] == ["g4", "g3", "g2", "g1", "g0"]
    assert "link" not in second.headers
    assert call(css, "GET", f"{LOG}?after=WyJhIiwiYiJd").status == 400


def test_an_edge_writes_down_too(new_parts: Callable[[str], Parts], clock: ManualClock) -> None:
    with closing(an_ess(on_accounts(new_parts("ess"), clock))) as ess:
        employ(ess)
        assert post(ess, "/api/v1/accounts", action="create", key="app", role="user").status == 200
        assert post(ess, "/api/v1/accounts", by="user@o", action="create", role="admin").status == 403

        shown = entries(ess, "/api/v1/audit")
        assert [(each["action"], each["outcome"]) for each in shown] == [
            ("POST", "refused"),
            ("account.create", "done"),
        ]
