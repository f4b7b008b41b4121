"""The attack cases that services of this kind are tested with, one by one; the number in a test's name is the case's.

Those against settings and files are in tests/unit/test_attacks_on_settings.py.

13.01 empty credentials                    13.09 many logins at once
13.02 NUL in names and passwords           13.10 roles from the outside, empty roles
13.03 SQL and traversal as user names      13.11 certificates that are pinned
13.04 very long user names                 13.12 permissions of sockets
13.05 paths of credential files            13.13 secrets in what the configuration shows
13.06 organizations in the path            13.14 hostile parameters in URLs
13.07 paths of certificates                13.15 what is no regular file as data
13.08 webhooks into private networks
"""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from common.domain.principals import Role
from common.runtime.authentication.accounts import AccountAuthenticator
from common.runtime.authentication.secrets import generate, hash_secret
from common.sync.records import Account
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest, Parts, a_css, request
from tests.support.requests_asgi import Reply, basic
from tests.support.requests_node import nothing_changes, send_up

pytestmark = pytest.mark.parametrize("new_parts", ["sqlite"], indirect=True)

SECRET, OTHER_SECRET = generate(), generate()
HEALTH = "/api/v1/health"
M1 = "/api/v1/objects/o/t/m1"
BODY = '{"meta": {"objectID": "m1", "objectType": "t"}, "data": "eA=="}'
STRANGE_NAMES = [
    "' OR '1'='1", "admin'--", "ann'; DROP TABLE accounts; --", '" OR ""="', "%' OR 1=1 --", "ann\\", "../../etc/passwd", "/etc/passwd",
    "..\\..\\windows", "${jndi:ldap://x}", "{{7*7}}", "*", "%", "_", "ann\n", "ann\r\nX-Admin: 1", "ann\t", "<script>alert(1)</script>",
]  # fmt: skip


@pytest.fixture
def accounts(new_parts: Callable[[str], Parts]) -> Iterator[NodeUnderTest]:
    """A CSS with the account of `ann`, an administrator of the organization `o`."""
    clock = ManualClock()
    parts = replace(
        new_parts("css"), authenticator=lambda database: AccountAuthenticator(database, clock.now_ms), clock=clock
    )
    with closing(a_css(parts)) as node:
        account = Account("ann", Role.ADMIN, "o", "ann", hash_secret(SECRET), NOW_MS)
        node.database.write(lambda uow: uow.accounts.save(account))
        yield node


def is_denied(reply: Reply) -> bool:
    return (reply.status, reply.body) == (403, b"Unauthorized")


def log_in(node: NodeUnderTest, app_key: str, secret: str = SECRET) -> Reply:
    return node.call("GET", HEALTH, actor=None, headers={"authorization": basic(app_key, secret)})


@pytest.mark.parametrize(("app_key", "secret"), [("", ""), ("", SECRET), ("ann", ""), (" ", " "), ("ann", " ")])
def test_13_01_empty_credentials(accounts: NodeUnderTest, app_key: str, secret: str) -> None:
    assert is_denied(log_in(accounts, app_key, secret))
    assert log_in(accounts, "ann").status == 200


@pytest.mark.parametrize(
    ("app_key", "secret"), [("ann\0", SECRET), ("\0ann", SECRET), ("ann", SECRET + "\0"), ("an\0n", "\0")]
)
def test_13_02_nul_in_names_and_passwords(accounts: NodeUnderTest, app_key: str, secret: str) -> None:
    assert is_denied(log_in(accounts, app_key, secret))


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_13_03_sql_and_traversal_as_user_names(accounts: NodeUnderTest, name: str) -> None:
    with nothing_changes(accounts):
        assert is_denied(log_in(accounts, name))
    # Such a key may exist: then it is that account's and opens no other.
    name = name.replace(":", "")  # which no key of this kind has
    own = Account(name, Role.USER, "x", "eve", hash_secret(OTHER_SECRET), NOW_MS)
    accounts.database.write(lambda uow: uow.accounts.save(own))
    assert is_denied(log_in(accounts, name))
    assert log_in(accounts, name, OTHER_SECRET).status == 200
    assert is_denied(accounts.call("GET", M1, actor=None, headers={"authorization": basic(name, OTHER_SECRET)}))


@pytest.mark.parametrize("length", [6_000, 10_000, 1_000_000])
def test_13_04_very_long_user_names(accounts: NodeUnderTest, length: int) -> None:
    assert is_denied(log_in(accounts, "a" * length))


@pytest.mark.parametrize(
    "org",
    [
        "x",
        "O",
        "o.",
        "*",
        "**",
        "o*",
        "@",
        "o%00",
        "o%2F..%2Fx",
        "..%2Fx",
        "o%20",
        "%20o",
        "o'%20OR%201=1",
        "o|x",
        "о",
        "ｏ",
    ],
)
def test_13_06_organizations_in_the_path(css: NodeUnderTest, org: str) -> None:
    """An administrator of `x` is nobody to any other name, and one of `o` only to exactly that."""
    css.put(M1, b"secret of o")
    css.call("PUT", "/api/v1/objects/x/t/m1", BODY, actor="bob@x")
    actor = "ann@o" if org != "o" else "bob@x"
    for method, target in [
        ("GET", "t/m1"),
        ("GET", "t/m1/data"),
        ("GET", "t?all_objects=true"),
        ("PUT", "t/m1"),
        ("DELETE", "t/m1"),
    ]:
        with nothing_changes(css):
            reply = css.call(method, f"/api/v1/objects/{org}/{target}", BODY if method == "PUT" else b"", actor=actor)
        assert reply.status in (400, 403, 404)
        assert b"secret" not in reply.body


def test_13_06_no_organization_in_the_path(css: NodeUnderTest) -> None:
    css.put(M1, b"secret of o")
    for target in (
        "/api/v1/objects//t/m1",
        "/api/v1/objects/",
        "/api/v1/objects",
        "/api/v1/security/objects/",
        "/api/v1/destinations/",
    ):
        assert css.call("GET", target, actor="bob@x").status in (400, 403, 404)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::]", "10.0.0.1", "172.16.0.1",
        "192.168.1.1", "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]", "100.64.0.1", "localhost",
    ],
)  # fmt: skip
def test_13_08_webhooks_into_private_networks(css: NodeUnderTest, host: str) -> None:
    """Literal addresses are refused when they are registered; names are looked up, and refused, when they are called."""
    from common.runtime.config.webhooks import WebhookSettings
    from common.runtime.resolver import Resolver

    registered = css.call("PUT", "/api/v1/objects/o/t", {"action": "register", "url": f"http://{host}:8080/"}).status
    if registered == 204:
        policy = WebhookSettings().policy
        try:
            found = Resolver().addresses(host.strip("[]"), 10)
        except OSError:
            found = []
        assert not any(map(policy.allows, found))
    else:
        assert registered == 400


def test_13_09_many_logins_at_once(accounts: NodeUnderTest) -> None:
    """Right ones get in and wrong ones do not, whatever is under way beside them."""
    tries = [("ann", SECRET), ("ann", "wrong"), ("bob", SECRET), ("ann", SECRET + "x")] * 25
    sent = [
        accounts.send(request("GET", HEALTH, actor=None, headers={"authorization": basic(key, secret)}))
        for key, secret in tries
    ]
    replies = [each.result(60) for each in sent]

    for (key, secret), reply in zip(tries, replies, strict=True):
        assert reply is not None
        is_right = (key, secret) == ("ann", SECRET)
        assert reply.status in ((200,) if is_right else (403, 429))


def test_13_10_roles_from_the_outside(css: NodeUnderTest) -> None:
    headers = {
        "x-role": "admin",
        "x-forwarded-user": "root",
        "x-sync-service-dest": "o/edge/n1",
        "role": "syncadmin",
        "x-org": "o",
    }
    for actor in ("plain@o", "bob@x", None):
        reply = css.call(
            "PUT",
            f"{M1}?role=admin&user=root&org=o",
            '{"meta": {"objectID": "m1", "objectType": "t", "ownerID": "o/ann", "role": "admin"}, "role": "admin", "type": "syncadmin"}',
            actor=actor,
            headers=headers,
        )
        assert is_denied(reply)


NAMES = [
    "Ünïcödé",
    "日本語",
    "العربية",
    "ไทย",
    "русский",
    "a~b",
    "a#b",
    "a!b",
    "a..b",
    "..data",
    "a.b",
    "*",
    "a@b",
    "x|y",
    "é",
]


@pytest.mark.parametrize("name", NAMES)
def test_13_14_names_of_all_alphabets_work_everywhere(css: NodeUnderTest, name: str) -> None:
    encoded = quote(name, safe="")
    target = f"/api/v1/objects/o/{encoded}/{encoded}"
    meta = {"meta": {"objectID": name, "objectType": name}, "data": "eA=="}
    assert css.call("PUT", target, meta).status == 204
    assert css.call("GET", f"{target}/data").body == b"x"
    assert [each["objectID"] for each in css.call("GET", f"/api/v1/objects/o/{encoded}?all_objects=true").json()] == [
        name
    ]


#: A question mark and a hash end the path, as everywhere; both are sent as they are and encoded.
HOSTILE = [
    "http://evil.example", "//evil.example", "javascript:alert(1)", "file:///etc/passwd", "../../../../etc/passwd", "..", ".",
    "....//....//", "..;/", "a\r\nX-Evil: 1", "a\nb", "a\tb", "a\0b", "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>',
    "%252e%252e%252f", "%c0%ae", "\x7f", "\u202e", "\ufeff", "a b", "${7*7}", "{{7*7}}", "' OR 1=1 --", "x" * 3000,
    *(f"a{mark}b" for mark in string.punctuation),
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:24]))
def test_13_14_hostile_parameters_in_urls(css: NodeUnderTest, name: str) -> None:
    """Nothing hostile is done, told to a browser, or put into a header; no request fails inside."""
    encoded = quote(name, safe="")
    targets = [
        f"/api/v1/objects/{encoded}/t/m1", f"/api/v1/objects/o/{encoded}/m1", f"/api/v1/objects/o/t/{encoded}", f"/api/v1/objects/o/t/m1/{encoded}",
        f"/api/v1/objects/o?filters=true&objectType={encoded}", f"/api/v1/destinations/{encoded}", f"/api/v1/destinations/o/{encoded}/n/objects",
        f"/api/v1/security/objects/o?key={encoded}", f"/api/v1/groups/o/{encoded}",
        f"/{encoded}", f"/api/v1/{encoded}",
    ]  # fmt: skip
    for target in targets:
        reply = css.call("GET", target)
        assert reply.status < 500
        assert reply.headers.get("content-type", "text/plain").startswith(("text/plain", "application/json"))
        assert "x-evil" not in reply.headers
        assert b"\r\nX-Evil" not in reply.body
        if reply.body and reply.status >= 400:
            assert name.encode() not in reply.body or not set(name) & set("<>\"'&\r\n\t\0")
    if "/" not in name:
        raw = css.call("PUT", f"/api/v1/objects/o/t/{encoded}", {"meta": {"objectID": name, "objectType": "t"}})
        assert raw.status in (204, 400)


def test_13_15_what_is_no_regular_file_as_data(ess: EdgeUnderTest, tmp_path: Path) -> None:
    """Nothing but regular files in the directory for it is read, however it is named; nothing hangs, nothing grows."""
    data = ess.parts.root / "sync" / "data"
    data.mkdir(parents=True)
    (tmp_path / "outside").write_text("secret")
    (ess.parts.root / "sync" / "preset-auth.json").write_text("secret")
    (data / "directory").mkdir()
    (data / "link").symlink_to(tmp_path / "outside")
    (data / "zero").symlink_to("/dev/zero")
    (data / "up").symlink_to("..")
    os.mkfifo(data / "pipe")
    paths = [
        f"{data}", f"{data}/", f"{data}/directory", f"{data}/link", f"{data}/zero", f"{data}/pipe", f"{data}/up/preset-auth.json",
        f"{data}/../preset-auth.json", f"{data}/%2e%2e/preset-auth.json", f"{data}%2f..%2fpreset-auth.json", "/dev/zero", "/dev/stdin",
        "/proc/self/environ", "/etc/passwd", f"{ess.parts.root}/sync/preset-auth.json", f"{data}/a%00b", f"{data}/missing",
    ]  # fmt: skip
    for path in paths:
        with nothing_changes(ess):
            reply = ess.put("/api/v1/objects/t/m1", sourceDataUri=f"file://{path}")
        assert reply.status == 400, path
        assert b"secret" not in reply.body


def test_13_15_a_cloud_names_no_files_of_its_own(css: NodeUnderTest) -> None:
    with nothing_changes(css):
        assert css.put(M1, sourceDataUri="file:///etc/passwd").status == 400
    send_up(css, "up", sourceDataUri="file:///etc/passwd", destinationDataUri="file:///tmp/x")
    assert css.call("GET", "/api/v1/objects/o/t/up/data").body == b"0123456789"
