"""The threats a service of this kind has to stand up to, one by one; the number in a test's name is the threat's.

14.01 tenants          14.05 exhaustion        14.09 signatures         14.13 cached decisions
14.02 missing checks   14.06 paths of files    14.10 TLS                14.14 input that breaks a process
14.03 open by default  14.07 names in URLs     14.11 brokers            14.15 administration
14.04 leaked secrets   14.08 forged requests   14.12 answers
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common.domain.errors import SyncError
from common.domain.principals import Role
from common.runtime.authentication.accounts import AccountAuthenticator
from common.runtime.authentication.first_start import create_first_administrator
from common.runtime.authentication.secrets import generate, hash_secret
from common.runtime.config.identity import AuthenticationHandler
from common.runtime.settings import ConfigError
from common.sync.records import Account
from css.config import CssConfig, load_css_config
from ess.transports.http import CloudClient, Timeouts
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest, Parts, a_css
from tests.support.requests_asgi import Reply, basic
from tests.support.requests_node import (
    EDGE,
    FOREIGN_EDGE,
    INSTANCE,
    announcement,
    as_node,
    message_path,
    nothing_changes,
    poll,
    register,
    send_up,
)
from tests.support.webhook_receiver import answer, receiver

pytestmark = pytest.mark.parametrize("new_parts", ["sqlite"], indirect=True)

M1 = "/api/v1/objects/o/t/m1"
COPY = "/api/v1/objects/t/m1"
BODY = '{"meta": {"objectID": "m1", "objectType": "t"}, "data": "eA=="}'


def is_denied(reply: Reply) -> bool:
    return (reply.status, reply.body) == (403, b"Unauthorized")


def test_14_01_a_body_cannot_move_an_object_to_another_organization(css: NodeUnderTest) -> None:
    with nothing_changes(css):
        assert css.put(M1, b"forged", destinationOrgID="x").status in (400, 403)
    for org in ("o", "x"):
        assert css.call("GET", f"/api/v1/objects/{org}/t/m1", actor="root@o").status == 404


@pytest.mark.parametrize(
    "members", [{"destinationOrgID": "x"}, {"originID": "n2"}, {"originType": "Cloud", "originID": "Cloud"}]
)
def test_14_01_a_node_cannot_speak_for_another(css: NodeUnderTest, members: dict[str, Any]) -> None:
    register(css)
    register(css, FOREIGN_EDGE)
    with nothing_changes(css):
        for action in ("update", "delete"):
            assert is_denied(as_node(css, "PUT", message_path(action), announcement(**members)))


def test_14_01_a_node_of_the_same_name_gets_nothing_of_the_other_organization(css: NodeUnderTest) -> None:
    for node in (EDGE, FOREIGN_EDGE):
        register(css, node)
    css.call("PUT", "/api/v1/objects/x/t/m1", BODY.replace('"t"}', '"t", "destinationType": "edge"}'), actor="bob@x")
    [item] = poll(css, FOREIGN_EDGE)
    instance = item["MetaData"]["instanceID"]

    assert poll(css) == []
    for org in ("o", "x"):
        path = message_path("data", org=org, instance=instance, data_id=instance)
        reply = as_node(css, "GET", path)
        assert reply.status in (403, 404)
        assert reply.body in (b"", b"Unauthorized")


def test_14_01_names_that_look_alike_when_joined_are_different_objects(css: NodeUnderTest) -> None:
    large = css.parts.small_payload_bytes * 2
    objects = [
        ("a-b", "c"),
        ("a", "b-c"),
        ("x%23one", "y"),
        ("x%23two", "y"),
        ("a", "b"),
        ("a.b", "c"),
        ("t", "m1"),
        ("t", "M1"),
    ]
    for number, (object_type, object_id) in enumerate(objects):
        path = f"/api/v1/objects/o/{object_type}/{object_id}"
        meta = {"objectID": object_id, "objectType": object_type.replace("%23", "#")}
        assert css.call("PUT", path, {"meta": meta}).status == 204
        assert css.call("PUT", f"{path}/data", bytes([number]) * large).status == 204
    for number, (object_type, object_id) in enumerate(objects):
        reply = css.call("GET", f"/api/v1/objects/o/{object_type}/{object_id}/data")
        assert reply.body == bytes([number]) * large


@pytest.mark.parametrize(
    "actor", ["plain@o", "bob@x", "x/olga", "node7%o", "o$svc$1.0.0$camera", "o/edge/n1", "nobody", None]
)
def test_14_02_nothing_is_without_a_check(css: NodeUnderTest, actor: str | None) -> None:
    """What the reference let pass; every other cell is in access_matrix.txt."""
    css.put(M1, b"x", inactive=True, destinationType="edge")
    register(css)
    calls: list[tuple[str, str, Any]] = [
        ("POST", f"{M1}/destinations", {"action": "add", "destinations": ["edge:n1"]}),
        ("PUT", f"{M1}/activate", b""),
        ("PUT", "/api/v1/objects/o/t", {"action": "register", "url": "https://93.184.215.14/"}),
        ("GET", "/api/v1/webhooks/o", b""),
        ("PUT", "/api/v1/destinations/o/edge/n1/labels", {"site": "lab"}),
    ]
    with nothing_changes(css):
        for method, target, body in calls:
            assert is_denied(css.call(method, target, body, actor=actor)), target


def test_14_03_a_new_cloud_is_open_to_nobody(new_parts: Callable[[str], Parts]) -> None:
    clock = ManualClock()
    assert CssConfig().authentication.handler is AuthenticationHandler.ACCOUNTS
    parts = replace(
        new_parts("css"), authenticator=lambda database: AccountAuthenticator(database, clock.now_ms), clock=clock
    )
    with closing(a_css(parts)) as css:
        welcome = create_first_administrator(css.database, Role.SYNC_ADMIN, "", NOW_MS)
        assert welcome is not None
        secret = welcome.split()[-1]
        for key, guess in [
            ("admin", "admin"),
            ("admin", ""),
            ("admin", "password"),
            ("ann@o", "x"),
            ("o/edge/n1", ""),
            ("root", "root"),
        ]:
            assert is_denied(
                css.call("GET", "/api/v1/health", actor=None, headers={"authorization": basic(key, guess)})
            )
        assert (
            css.call("GET", "/api/v1/health", actor=None, headers={"authorization": basic("admin", secret)}).status
            == 200
        )
        assert secret not in repr(css.holdings())


def test_14_04_no_secret_gets_into_the_log_or_an_answer(
    new_parts: Callable[[str], Parts], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clock, secret = ManualClock(), generate()
    parts = replace(
        new_parts("css"), authenticator=lambda database: AccountAuthenticator(database, clock.now_ms), clock=clock
    )
    with closing(a_css(parts)) as css:
        account = Account("ann", Role.ADMIN, "o", "ann", hash_secret(secret), NOW_MS)
        css.database.write(lambda uow: uow.accounts.save(account))
        calls: list[tuple[str, str, Any]] = [
            ("GET", M1, b""), ("PUT", M1, b"{{{"), ("PUT", f"{M1}/data", b"x"), ("GET", f"/api/v1/objects/x/{secret}", b""),
            ("PUT", "/api/v1/organizations/o", {"orgID": "o", "user": "u", "password": "hunter2hunter2"}),
            ("PUT", "/api/v1/objects/o/t", {"action": "register", "url": "https://u:hunter2hunter2@93.184.215.14/", "secret": "whsec_aHVudGVyMg=="}),
            ("GET", "/api/v1/webhooks/o", b""), ("GET", "/api/v1/organizations", b""), ("GET", "/api/v1/health?details=true", b""),
        ]  # fmt: skip
        replies = []
        for given in (secret, secret + "x", "x" + secret):
            headers = {"authorization": basic("ann", given), "accept": "application/problem+json"}
            for method, target, body in calls:
                replies.append((target, css.call(method, target, body, actor=None, headers=headers)))
    said = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    hidden = [secret, basic("ann", secret), "hunter2hunter2", "aHVudGVyMg"]
    assert not any(each in said.replace(f"/x/{secret}", "") for each in hidden)
    for target, reply in replies:
        text = reply.body.decode(errors="replace") + repr(reply.headers)
        assert not any(each in text for each in hidden), target


@pytest.mark.usefixtures("new_parts")
def test_14_04_credentials_go_to_the_configured_cloud_only() -> None:
    """Neither a redirect nor an address that begins alike takes them elsewhere."""
    with (
        receiver(answer(200)) as other,
        receiver(answer(307, location=f"http://{other.address}/spi/v1/objects/")) as cloud,
    ):
        client = CloudClient(f"http://{cloud.address}", EDGE, "key", "secret", verify=False, timeouts=Timeouts(5, 5))
        try:
            with pytest.raises(SyncError):
                client.poll(0)
        finally:
            client.close()
        assert "authorization" in {name.lower() for name in cloud.heard[0].headers}
        assert other.heard == []


RANGES = [
    "b", "bytes", "bytes=", "bytes=0-99999999999999", "bytes=99999999999999999999-", "bytes=-99999999999999999999", "bytes=5-1",
    "bytes=--1", "bytes=0-0,1-1,2-2", "bytes=" + ",".join(["0-"] * 5000), "bytes=0x1-0x2", "bytes=0-\u0664", "octets=0-1", "bytes=1e3-", "",
]  # fmt: skip


@pytest.mark.parametrize("asked", RANGES, ids=lambda text: text[:24])
def test_14_05_ranges_cost_no_more_than_the_data(css: NodeUnderTest, asked: str) -> None:
    css.put(M1, b"12345")
    headers = {"range": asked.encode().decode("latin-1")}
    reply = css.call("GET", f"{M1}/data", headers=headers)
    assert reply.status in (200, 206, 400, 416)
    assert len(reply.body) <= 200


CONTENT_RANGES = [
    "bytes 0-0/99999999999999999",
    "bytes 0-/5",
    "bytes 5-1/5",
    "bytes 0-4/0",
    "bytes */5",
    "bytes 0-99999999999999/99999999999999",
    "x",
    "",
]


@pytest.mark.parametrize("said", CONTENT_RANGES)
def test_14_05_what_an_upload_says_about_itself_costs_nothing(css: NodeUnderTest, said: str) -> None:
    css.put(M1, b"12345")
    for piece in (b"", b"x"):
        assert css.call("PUT", f"{M1}/data", piece, headers={"content-range": said}).status < 500
    assert css.call("GET", M1).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"{" + b'"a":1,' * 100_000 + b'"b":1}',
        b'"' + b"x" * (17 << 20),
        b"1" * 100_000,
    ],
)
def test_14_05_json_bombs_are_refused(css: NodeUnderTest, body: bytes) -> None:
    for target in (
        M1,
        "/api/v1/objects/o/t",
        "/api/v1/security/objects/o/t",
        "/api/v1/groups/o/g",
        "/api/v1/organizations/o",
        f"{M1}/destinations",
    ):
        with nothing_changes(css):
            assert css.call("PUT", target, body).status in (400, 413)


def test_14_06_files_are_read_below_one_directory_only(ess: EdgeUnderTest) -> None:
    """More of it is 13.15; what is written is in test_data_directory.py and the end-to-end tests of data files."""
    state = ess.parts.root / "sync"
    state.mkdir(parents=True, exist_ok=True)
    (state / "preset-auth.json").write_text("secret")
    for path in (state / "preset-auth.json", state / "data" / ".." / "preset-auth.json", Path("/etc/hostname")):
        with nothing_changes(ess):
            assert ess.put(COPY, sourceDataUri=f"file://{path}").status == 400


def test_14_07_a_name_is_decoded_once(css: NodeUnderTest) -> None:
    """What is encoded twice is not what it would be decoded twice."""
    css.put(M1, b"x")
    for target in ("o/t/m%2531", "o/t%252Fm1", "%256f/t/m1", "o/t/%252e%252e/m1"):
        assert css.call("GET", f"/api/v1/objects/{target}").status in (400, 404)


def test_14_07_names_that_differ_in_normalization_only_are_different_objects(css: NodeUnderTest) -> None:
    for number, name in enumerate(("\u212b", "\u00c5", "ﬁ", "fi")):
        meta = {"meta": {"objectID": name, "objectType": "t"}, "data": base64.b64encode(bytes([number])).decode()}
        assert css.call("PUT", f"/api/v1/objects/o/t/{name}", meta).status in (204, 400)
    seen = {each["objectID"] for each in css.call("GET", "/api/v1/objects/o/t?all_objects=true").json()}
    for number, name in enumerate(("\u212b", "\u00c5", "ﬁ", "fi")):
        if name in seen:
            assert css.call("GET", f"/api/v1/objects/o/t/{name}/data").body == bytes([number])


@pytest.mark.parametrize(
    "url",
    [
        "ftp://93.184.215.14/",
        "file:///etc/passwd",
        "gopher://93.184.215.14/",
        "http://",
        "//93.184.215.14/",
        "http://[::ffff:169.254.169.254]/",
    ],
)
def test_14_08_only_public_web_addresses_are_called(css: NodeUnderTest, url: str) -> None:
    """Redirects, names that change their address, and slow receivers are in tests/integration/test_webhook_calls.py."""
    with nothing_changes(css):
        assert css.call("PUT", "/api/v1/objects/o/t", {"action": "register", "url": url}).status == 400


def keys_that_are_not_rsa() -> list[str]:
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    elliptic = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(*form)
    edwards = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*form)
    return [base64.b64encode(der).decode() for der in (elliptic, edwards, b"no key", b"", b"\x30\x80" * 1000)]


def test_14_09_keys_of_other_kinds_are_refused_and_nothing_hangs(css: NodeUnderTest) -> None:
    for number, key in enumerate(keys_that_are_not_rsa()):
        path = f"/api/v1/objects/o/t/signed-{number}"
        signed = {"hashAlgorithm": "SHA256", "publicKey": key, "signature": base64.b64encode(b"x" * 64).decode()}
        reply = css.put(path, b"x", **signed)
        assert reply.status in (204, 400, 500)
        if key:
            assert css.call("GET", f"{path}/data").status in (403, 404, 409) or reply.status == 400
        assert css.put(path, b"unsigned").status == 204
        assert css.call("GET", f"{path}/data").body == b"unsigned"


def test_14_09_a_node_with_such_a_key_harms_nobody(css: NodeUnderTest) -> None:
    key = keys_that_are_not_rsa()[0]
    register(css)
    meta = announcement(hashAlgorithm="SHA256", publicKey=key, signature=base64.b64encode(b"x").decode())
    assert as_node(css, "PUT", message_path("update"), meta).status < 600
    as_node(css, "PUT", message_path("data"), b"0123456789")

    assert css.call("GET", f"{M1}/data").status != 200
    send_up(css, "m1", instanceID=INSTANCE + 1)
    assert css.call("GET", f"{M1}/data").body == b"0123456789"


def test_14_10_browsers_are_told_to_use_tls_only_over_tls(css: NodeUnderTest) -> None:
    """Certificates, their renewal and versions of TLS are in test_tls.py and the end-to-end tests of listeners."""
    assert "strict-transport-security" not in css.call("GET", "/api/v1/health").headers


@pytest.mark.usefixtures("new_parts")
def test_14_11_there_is_no_broker_to_impersonate_anybody_at(tmp_path: Path) -> None:
    for word in ("mqtt", "wiotp", "mqtt,http"):
        with pytest.raises(ConfigError, match="CommunicationProtocol"):
            load_css_config(None, {"COMMUNICATION_PROTOCOL": word, "PERSISTENCE_ROOT_PATH": str(tmp_path)})


@pytest.mark.parametrize("accept", ["", "text/html", "application/problem+json", "application/json", "*/*"])
def test_14_12_answers_are_never_taken_for_pages(css: NodeUnderTest, accept: str) -> None:
    script = "%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    for target in (
        f"/api/v1/objects/o/t/{script}",
        f"/api/v1/objects/{script}/t/m",
        f"/api/v1/{script}",
        f"{M1}/{script}",
        f"/api/v1/objects/o?{script}=1",
    ):
        reply = css.call("GET", target, headers={"accept": accept})
        assert b"<script" not in reply.body
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "html" not in reply.headers.get("content-type", "")


def test_14_13_a_change_of_an_access_list_counts_at_once_and_for_its_kind_only(css: NodeUnderTest) -> None:
    """A user and a node of one name are two; the next request knows of a change."""
    css.put(M1, b"x")

    def change(action: str, user_type: str) -> None:
        entry = {"Username": "plain", "ACLUserType": user_type, "ACLRole": "aclWriter"}
        assert css.call("PUT", "/api/v1/security/objects/o/t", {"action": action, "users": [entry]}).status == 204

    def may_read() -> tuple[bool, bool]:
        user, node = (css.call("GET", M1, actor=actor).status == 200 for actor in ("plain@o", "plain%o"))
        return user, node

    assert may_read() == (False, False)
    for _ in range(3):
        change("add", "user")
        assert may_read() == (True, False)
        change("remove", "user")
        assert may_read() == (False, False)
        change("add", "node")
        assert may_read() == (False, True)
        change("remove", "node")


def test_14_14_no_input_ends_a_request_inside(css: NodeUnderTest) -> None:
    """Whole families of such input are in test_bad_bodies.py, test_bad_metadata.py and the fuzzing tests."""
    css.put(M1, b"x")
    register(css)
    numbers = ["-1", "0", str(2**63), "9" * 40, "1e9", "NaN", "0x1", "1.5", "\u0661", " 1", "+1", ""]
    for number in numbers:
        for target in (
            f"/api/v1/objects/o/t?all_objects=true&limit={number}", f"/api/v1/destinations/o?limit={number}&after={number}",
            f"/api/v1/webhooks/o/dead?limit={number}", f"/api/v1/objects/o?filters=true&expirationTimeBefore={number}",
        ):  # fmt: skip
            assert css.call("GET", target).status < 500, target
        for action in ("received", "data", "update"):
            path = message_path(action, instance=number or "x", data_id=number or "x")
            assert as_node(css, "PUT", path, b"{}").status < 500, path
        for header in ("prefer", "if-none-match", "if-match", "last-event-id", "content-length"):
            raw = number.encode().decode("latin-1")
            asked = {header: f"wait={raw}" if header == "prefer" else raw}
            if "1e9" not in number and number not in ("1", str(2**63), "9" * 40, "+1", " 1"):
                assert css.call("GET", "/api/v1/objects/o/t?all_objects=true", headers=asked).status < 500, asked
    assert css.call("GET", M1).status == 200


def test_14_15_a_deleted_organization_leaves_nothing(css: NodeUnderTest) -> None:
    css.put(M1, b"x", destinationType="edge")
    register(css)
    send_up(css, "up")
    assert css.call("PUT", "/api/v1/groups/o/g", {"members": ["edge:n1"]}).status == 204
    assert css.call("PUT", "/api/v1/objects/o/t", {"action": "register", "url": "https://93.184.215.14/"}).status == 204
    entry = {"Username": "plain", "ACLUserType": "user", "ACLRole": "aclWriter"}
    assert css.call("PUT", "/api/v1/security/objects/o/t", {"action": "add", "users": [entry]}).status == 204
    assert css.call("DELETE", "/api/v1/organizations/o").status == 204

    # How much an organization has is counted in rows that stay, and say nothing then.
    tables = css.holdings().rows
    left = {name for name, rows in tables.items() if name != "org_usage" and any("'o'" in row for row in rows)}
    assert left == set()


@pytest.mark.parametrize("order", [1, -1])
def test_14_15_which_entry_of_an_access_list_decides_does_not_depend_on_their_order(
    css: NodeUnderTest, order: int
) -> None:
    css.put(M1, b"x")
    entries = [("*", "aclReader"), ("plain", "aclWriter")][::order]
    for name, role in entries:
        entry = {"Username": name, "ACLUserType": "user", "ACLRole": role}
        assert css.call("PUT", "/api/v1/security/objects/o/t", {"action": "add", "users": [entry]}).status == 204

    assert css.call("GET", M1, actor="plain@o").status == 200
    assert is_denied(css.call("PUT", f"{M1}/data", b"y", actor="plain@o"))
