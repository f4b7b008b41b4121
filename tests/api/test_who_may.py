"""Who is let in, and to what (rest-api 2): every class on every endpoint, and credentials of all wrong kinds."""

from __future__ import annotations

import base64

import pytest

from common.domain.access import MANIFEST_TYPE
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest, request
from tests.support.requests_asgi import Reply, basic
from tests.support.requests_node import nothing_changes, register, send_up

pytestmark = pytest.mark.parametrize("new_parts", ["memory"], indirect=True)  # nobody asks the database who may

#: Application keys of the development authenticator by class.
CLASSES = {
    "sync admin": "root@o",
    "admin": "ann@o",
    "object admin": "o/olga",
    "user": "plain@o",
    "node user": "node7%o",
    "service": "o$svc$1.0.0$camera",
    "edge node": "o/edge/n1",
    "admin elsewhere": "bob@x",
    "object admin elsewhere": "x/olga",
    "user elsewhere": "plain@x",
    "node user elsewhere": "node7%x",
    "service elsewhere": "x$svc$1.0.0$camera",
    "nobody": "nobody",
}
EVERY = set(CLASSES)
AT_HOME = {name for name in EVERY if not name.endswith("elsewhere")} - {"nobody", "edge node"}
ADMINS = {"sync admin", "admin", "object admin"}
#: Those to whom the cloud shows public objects only, as long as no access list is about them.
PUBLIC_ONLY = {
    "user",
    "node user",
    "admin elsewhere",
    "object admin elsewhere",
    "user elsewhere",
    "node user elsewhere",
}

OBJECTS = "/api/v1/objects/o/t"
COPIES = "/api/v1/objects/t"


def is_denied(reply: Reply) -> bool:
    """403 with the exact body that clients compare, never 401 and never a challenge (rest-api 1.4)."""
    if reply.status != 403:
        return False
    assert reply.body == b"Unauthorized"
    assert "www-authenticate" not in reply.headers
    return True


def allowed(node: NodeUnderTest, method: str, target: str, body: bytes = b"") -> set[str]:
    """The classes whose request is not denied."""
    return {name for name, key in CLASSES.items() if not is_denied(node.call(method, target, body, actor=key))}


@pytest.mark.parametrize("rest", ["", "/status", "/data", "/destinations", "/STATUS/"])
@pytest.mark.parametrize("object_id", ["m1", "missing"])
def test_who_reads_an_object_on_the_cloud(css: NodeUnderTest, object_id: str, rest: str) -> None:
    css.put(f"{OBJECTS}/m1", b"x")

    assert allowed(css, "GET", f"{OBJECTS}/{object_id}{rest}") == ADMINS


@pytest.mark.parametrize("query", ["", "?all_objects=true", "?received=true"])
def test_who_lists_objects_on_the_cloud(css: NodeUnderTest, query: str) -> None:
    """Whoever sees public objects only gets the list without the others: nothing, so 404."""
    css.put(f"{OBJECTS}/m1", b"x")
    send_up(css, "up")

    assert allowed(css, "GET", OBJECTS + query) == ADMINS | PUBLIC_ONLY
    for name in PUBLIC_ONLY:
        reply = css.call("GET", OBJECTS + query, actor=CLASSES[name])
        assert (reply.status, reply.body) == (404, b"")
    for name in ADMINS:
        assert css.call("GET", OBJECTS + query, actor=CLASSES[name]).status == 200


@pytest.mark.parametrize(
    ("method", "rest"),
    [("PUT", ""), ("DELETE", ""), ("PUT", "/data"), ("PUT", "/received"), ("PUT", "/consumed"), ("PUT", "/deleted")],
)
def test_who_changes_an_object_on_the_cloud(css: NodeUnderTest, method: str, rest: str) -> None:
    """Without access lists, users and strangers change nothing."""
    css.put(f"{OBJECTS}/m1", b"x", destinationType="edge")
    for name in EVERY - ADMINS:
        with nothing_changes(css):
            assert is_denied(css.call(method, f"{OBJECTS}/m1{rest}", b"{}", actor=CLASSES[name]))
    assert allowed(css, method, f"{OBJECTS}/m1{rest}", b"{}") == ADMINS


def test_the_manifest_type(css: NodeUnderTest) -> None:
    """Object admins may not write it, node users always read it (rest-api 2.2, 2.3)."""
    manifest = f"/api/v1/objects/o/{MANIFEST_TYPE}/m1"
    assert css.put(manifest, b"x").status == 204

    assert allowed(css, "GET", manifest) == ADMINS | {"node user"}
    assert allowed(css, "PUT", f"{manifest}/data", b"y") == ADMINS - {"object admin"}
    assert allowed(css, "PUT", manifest, b"") == ADMINS - {"object admin"}
    assert allowed(css, "DELETE", manifest) == ADMINS - {"object admin"}


@pytest.mark.parametrize("rest", ["", "/status", "/data", "/destinations"])
def test_who_reads_on_an_edge(ess: EdgeUnderTest, rest: str) -> None:
    ess.receive("m1")

    assert allowed(ess, "GET", f"{COPIES}/m1{rest}") == AT_HOME
    assert allowed(ess, "GET", COPIES) == AT_HOME
    # To a service an unknown object is forbidden, not missing.
    assert allowed(ess, "GET", f"{COPIES}/missing{rest}") == AT_HOME - {"service"}


@pytest.mark.parametrize("rest", ["/received", "/consumed", "/deleted", "/data"])
def test_who_changes_on_an_edge(ess: EdgeUnderTest, rest: str) -> None:
    ess.receive("m1", consumers=1000)

    assert allowed(ess, "PUT", f"{COPIES}/m1{rest}", b"x") == AT_HOME
    assert allowed(ess, "PUT", f"{COPIES}/missing{rest}", b"x") == AT_HOME - {"service"}


def test_who_publishes_on_an_edge(ess: EdgeUnderTest) -> None:
    for name, key in CLASSES.items():
        object_id = name.replace(" ", "-")
        body = f'{{"meta": {{"objectID": "{object_id}", "objectType": "t"}}}}'
        reply = ess.call("PUT", f"{COPIES}/{object_id}", body, actor=key)
        assert reply.status == (204 if name in AT_HOME else 403), name
        assert ess.call("GET", f"{COPIES}/{object_id}").status == (200 if name in AT_HOME else 404)


def test_who_lists_nodes(css: NodeUnderTest) -> None:
    register(css)

    assert allowed(css, "GET", "/api/v1/destinations/o") == AT_HOME
    assert allowed(css, "GET", "/api/v1/destinations/x") == {
        "sync admin", "admin elsewhere", "object admin elsewhere", "user elsewhere", "node user elsewhere",
        "service elsewhere",
    }  # fmt: skip


def test_who_asks_for_health(css: NodeUnderTest, ess: EdgeUnderTest) -> None:
    for node in (css, ess):
        assert allowed(node, "GET", "/api/v1/health") == EVERY - {"edge node", "nobody"}


def test_a_sync_admin_acts_in_every_organization(css: NodeUnderTest) -> None:
    body = '{"meta": {"objectID": "m1", "objectType": "t"}, "data": "eA=="}'
    assert css.call("PUT", "/api/v1/objects/x/t/m1", body, actor="root@o").status == 204

    assert css.call("GET", "/api/v1/objects/x/t/m1", actor="bob@x").json()["ownerID"] == "/root"
    assert css.call("GET", "/api/v1/objects/o/t/m1").status == 404


@pytest.mark.parametrize(
    ("method", "rest"),
    [("PUT", "activate"), ("PUT", "policyreceived"), ("PUT", "destinations"), ("POST", "destinations")],
)
def test_who_redirects_and_releases_objects(css: NodeUnderTest, method: str, rest: str) -> None:
    css.put(f"{OBJECTS}/m1", b"x", inactive=True)

    assert allowed(css, method, f"{OBJECTS}/m1/{rest}", b"[]") == ADMINS
    assert allowed(css, method, f"{OBJECTS}/missing/{rest}", b"[]") == ADMINS


def test_unknown_operations_are_refused_after_the_check_who_calls(css: NodeUnderTest) -> None:
    assert css.call("PUT", f"{OBJECTS}/m1/nonsense").body == b""
    assert is_denied(css.call("PUT", f"{OBJECTS}/m1/nonsense", actor="nobody"))


WRONG_CREDENTIALS = [
    None, "", "Basic", "Basic ", "Basic !!!", "Basic " + base64.b64encode(b"no colon").decode(),
    "Basic " + base64.b64encode(b":secret").decode(), "Basic " + base64.b64encode(b"ann\0@o:x").decode(),
    "Basic " + base64.b64encode(b"\xff\xfe:x").decode(), "Basic " + base64.b64encode(b"ann@o:x").decode()[:-3],
    "Bearer " + base64.b64encode(b"ann@o:x").decode(), base64.b64encode(b"ann@o:x").decode(), "Basic ann@o:x",
    "Digest username=ann@o", basic("@o"), basic("ann@"), basic("a/b/"), basic("//"), basic("/edge/n1"), basic("a$b$c"),
    basic("nobody"), "Basic " + base64.b64encode(b"a" * 9000 + b"@o:x").decode(), "Basic " * 3,
]  # fmt: skip

#: What would be refused, or would change something, if it were looked at.
BODIES = {
    "valid": b'{"meta": {"objectID": "m1", "objectType": "t"}, "data": "eA=="}',
    "broken": b"{{{{",
    "nested": b"[" * 100_000,
    "oversized": b"x" * (17 << 20),
}


@pytest.mark.parametrize("authorization", WRONG_CREDENTIALS, ids=lambda value: repr(value)[:24])
def test_wrong_credentials_are_denied(css: NodeUnderTest, ess: EdgeUnderTest, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    calls = [("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/data"), ("PUT", "/data"), ("PUT", "/consumed")]
    for node, target in ((css, f"{OBJECTS}/m1"), (ess, f"{COPIES}/m1")):
        node.put(target, b"x")
        with nothing_changes(node):
            for method, rest in calls:
                assert is_denied(node.call(method, target + rest, BODIES["valid"], actor=None, headers=headers))
            assert is_denied(node.call("GET", "/api/v1/health", actor=None, headers=headers))
    for target in ("register-new/o/edge/n1", "objects/", "objects/o/t/m1/1/1/update"):
        node_header = {"x-sync-service-dest": "o/edge/n1", **headers}
        method = "GET" if target.endswith("/") else "PUT"
        assert is_denied(css.call(method, f"/spi/v1/{target}", actor=None, headers=node_header))


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("actor", [None, "nobody", "bob@x", "plain@o", "o/edge/n1"])
def test_no_byte_of_a_body_is_read_before_the_caller_is_known(css: NodeUnderTest, actor: str | None, body: str) -> None:
    for target in (f"{OBJECTS}/m1", f"{OBJECTS}/m1/data", "/spi/v1/objects/o/t/m1/1/1/update"):
        call = request("PUT", target, BODIES[body], actor=actor, headers={"x-sync-service-dest": "o/edge/n2"})
        with nothing_changes(css):
            reply = css.send(call).result()
        assert reply is not None
        assert is_denied(reply)
        assert call.pieces_taken == 0


def test_a_malformed_name_is_told_before_anything_else(css: NodeUnderTest) -> None:
    """As in rest-api 1.4: the text says which segment, whoever asks."""
    for actor in (None, "nobody", "ann@o"):
        assert css.call("GET", f"{OBJECTS}/a%20b", actor=actor).status == 400
