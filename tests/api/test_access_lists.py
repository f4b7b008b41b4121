"""Access lists: how administrators change them (rest-api 3.19), and what follows for users and node accounts (2.2, 2.3)."""

from __future__ import annotations

from typing import Any

import pytest

from common.domain.access import MANIFEST_TYPE
from tests.support.node_under_test import ADMIN, EdgeUnderTest, NodeUnderTest
from tests.support.requests_asgi import Reply
from tests.support.requests_node import nothing_changes, register, send_up

SECURITY = "/api/v1/security"
OBJECTS = "/api/v1/objects/o/t"
USER, NODE, NAMESAKE = "writer@o", "writer%o", "writer@x"


def entry(username: str = "writer", role: str = "aclReader", user_type: str = "user") -> dict[str, str]:
    return {"Username": username, "ACLUserType": user_type, "ACLRole": role}


def change(css: NodeUnderTest, target: str, action: str, *users: dict[str, str], actor: str = ADMIN) -> Reply:
    return css.call("PUT", f"{SECURITY}/{target}", {"action": action, "users": list(users)}, actor=actor)


def add(css: NodeUnderTest, target: str, *users: dict[str, str]) -> None:
    assert change(css, target, "add", *users).status == 204


def remove(css: NodeUnderTest, target: str, *users: dict[str, str]) -> None:
    assert change(css, target, "remove", *users).status == 204


def listed(css: NodeUnderTest, target: str) -> Any:
    """What GET shows; None for the empty answer that says there is nothing."""
    reply = css.call("GET", f"{SECURITY}/{target}")
    if reply.status == 404:
        assert reply.body == b""
        return None
    assert reply.status == 200
    return reply.json()


def is_denied(reply: Reply) -> bool:
    return (reply.status, reply.body) == (403, b"Unauthorized")


def test_a_list_appears_with_its_first_entry_and_goes_with_its_last(css: NodeUnderTest) -> None:
    assert listed(css, "objects/o?key=t") is None

    add(css, "objects/o/t", entry(), entry("writer", "aclWriter", "node"))
    assert listed(css, "objects/o?key=t") == [entry("writer", "aclWriter", "node"), entry()]
    assert listed(css, "objects/o?all_keys=true") == ["t"]

    remove(css, "objects/o/t", entry(role="whatever"), entry("nobody"))
    assert css.call("DELETE", f"{SECURITY}/objects/o/t/node/writer").status == 204
    assert css.call("DELETE", f"{SECURITY}/objects/o/t/node/writer").status == 204
    assert listed(css, "objects/o?key=t") is None
    assert listed(css, "objects/o?all_keys=true") is None


def test_the_list_without_a_key_is_the_one_of_the_organization(css: NodeUnderTest) -> None:
    add(css, "objects/o", entry("ann"))
    add(css, "objects/o/*", entry("bob"))

    for target in ("objects/o", "objects/o?key=*", "objects/o?key=", "objects/o/", "objects/o/ignored"):
        assert listed(css, target) == [entry("ann"), entry("bob")]
    assert listed(css, "objects/o?all_keys=1") == ["*"]


def test_the_user_type_filters(css: NodeUnderTest) -> None:
    add(css, "objects/o/t", entry("ann"), entry("dev", user_type="node"))

    assert listed(css, "objects/o?key=t&acl_usertype=user") == [entry("ann")]
    assert listed(css, "objects/o?key=t&acl_usertype=node") == [entry("dev", user_type="node")]
    assert len(listed(css, "objects/o?key=t&acl_usertype=")) == 2


def test_entries_for_destinations_have_no_role(css: NodeUnderTest) -> None:
    add(css, "destinations/o/edge", entry(role="aclWriter"), {"Username": "ann", "ACLUserType": "user"})

    assert listed(css, "destinations/o?key=edge") == [entry("ann", "na"), entry("writer", "na")]
    assert listed(css, "objects/o?key=edge") is None


def test_members_are_understood_in_any_case_and_actions_too(css: NodeUnderTest) -> None:
    body = {"Action": "ADD", "USERS": [{"username": "ann", "aclusertype": "user", "aclrole": "aclReader", "x": 1}]}

    assert css.call("PUT", f"{SECURITY}/objects/o/t", body).status == 204
    assert listed(css, "objects/o?key=t") == [entry("ann")]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"nonsense", b"[]", b"null", b"{}", {"action": "x", "users": []}, {"action": "", "users": []},
        {"action": 1, "users": []}, {"action": "add", "users": {}}, {"action": "add", "users": ["ann"]},
        {"action": "add", "users": [entry(role="aclOwner")]}, {"action": "add", "users": [entry(role="na")]},
        {"action": "add", "users": [entry(role="")]}, {"action": "add", "users": [entry(user_type="robot")]},
        {"action": "add", "users": [entry(user_type="")]}, {"action": "add", "users": [entry("")]},
        {"action": "add", "users": [entry(" ")]}, {"action": "add", "users": [entry("a\0b")]},
        {"action": "add", "users": [entry("x" * 501)]}, {"action": "add", "users": [{}]},
        {"action": "add", "users": [entry(), {"Username": 1, "ACLUserType": "user", "ACLRole": "aclReader"}]},
        {"action": "remove", "users": [entry(" ")]}, {"action": "remove", "users": [entry(user_type="x")]},
        {"action": "add", "users": [{"Username": "a", "ACLUserType": ["user"], "ACLRole": "aclReader"}]},
    ],
)  # fmt: skip
def test_a_malformed_change_is_refused_in_a_line_and_changes_nothing(css: NodeUnderTest, body: Any) -> None:
    add(css, "objects/o/t", entry("ann"))

    with nothing_changes(css):
        reply = css.call("PUT", f"{SECURITY}/objects/o/t", body)
    assert (reply.status, reply.body[-1:]) == (400, b"\n")


@pytest.mark.parametrize("body", [b'{"action": "add"}', b'{"action": "remove", "users": null}'])
def test_a_change_of_nobody_is_fine(css: NodeUnderTest, body: bytes) -> None:
    with nothing_changes(css):
        assert css.call("PUT", f"{SECURITY}/objects/o/t", body).status == 204


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", ""), ("GET", "/"), ("GET", "/objects"), ("GET", "/Objects/o"), ("GET", "/robots/o"),
        ("GET", "/objects/o/t/user"), ("GET", "/objects/o?all_keys=x"), ("GET", "/objects/o?acl_usertype=x"),
        ("GET", "/objects/o?key=a%20b"), ("GET", "/objects/o%20o"), ("PUT", "/objects/o/t/user"),
        ("PUT", "/objects/o/t/user/ann"), ("PUT", "/objects/o/a%20b"), ("DELETE", "/objects/o/t"),
        ("DELETE", "/objects/o/t/user"), ("DELETE", "/objects/o/t/robot/ann"), ("DELETE", "/objects/o/t/user/ann/x"),
        ("DELETE", "/objects/o/t/user/a%20b"),
    ],
)  # fmt: skip
def test_other_addresses_and_parameters_are_refused(css: NodeUnderTest, method: str, target: str) -> None:
    add(css, "objects/o/t", entry("ann"))

    with nothing_changes(css):
        assert css.call(method, SECURITY + target, {"action": "add", "users": [entry()]}).status == 400


@pytest.mark.parametrize("method", ["POST", "PATCH", "OPTIONS"])
def test_there_are_no_other_methods(css: NodeUnderTest, method: str) -> None:
    assert css.call(method, f"{SECURITY}/objects/o/t").status == 405


def test_only_administrators_manage_lists(css: NodeUnderTest) -> None:
    others = ["o/olga", "plain@o", USER, NODE, "bob@x", "o/edge/n1", "o$svc$1.0.0$camera", "nobody", None]
    with nothing_changes(css):
        for actor in others:
            for method, target in (("GET", "objects/o"), ("PUT", "objects/o/t"), ("DELETE", "objects/o/t/user/ann")):
                assert is_denied(css.call(method, f"{SECURITY}/{target}", b"{}", actor=actor))

    assert change(css, "objects/o/t", "add", entry(), actor="root@o").status == 204
    assert change(css, "objects/x/t", "add", entry(), actor="bob@x").status == 204


def test_an_edge_has_no_access_lists(ess: EdgeUnderTest) -> None:
    assert ess.call("GET", f"{SECURITY}/objects/o").status == 404


def readable(css: NodeUnderTest, actor: str, target: str = f"{OBJECTS}/m1") -> bool:
    """Metadata, status and data alike."""
    statuses = {css.call("GET", target + rest, actor=actor).status for rest in ("", "/status", "/data")}
    assert statuses in ({200}, {403})
    return statuses == {200}


@pytest.mark.parametrize("key", ["/t", ""])
@pytest.mark.parametrize("username", ["writer", "*"])
def test_a_reader_reads_from_the_next_request_on_and_no_longer(css: NodeUnderTest, key: str, username: str) -> None:
    css.put(f"{OBJECTS}/m1", b"x", destinationType="edge")
    assert not readable(css, USER)

    add(css, f"objects/o{key}", entry(username))
    assert readable(css, USER)
    assert not readable(css, NODE)
    assert not readable(css, NAMESAKE)
    assert css.call("GET", f"{OBJECTS}/missing", actor=USER).status == 404
    with nothing_changes(css):
        for method, rest in (
            ("PUT", ""),
            ("PUT", "/data"),
            ("DELETE", ""),
            ("PUT", "/destinations"),
            ("PUT", "/activate"),
        ):
            assert is_denied(css.call(method, f"{OBJECTS}/m1{rest}", b"[]", actor=USER))

    remove(css, f"objects/o{key}", entry(username))
    assert not readable(css, USER)


def test_node_accounts_have_entries_of_their_own(css: NodeUnderTest) -> None:
    css.put(f"{OBJECTS}/m1", b"x")
    add(css, "objects/o/t", entry(user_type="node"))

    assert readable(css, NODE)
    assert not readable(css, USER)


def test_a_reader_takes_what_edges_send_up(css: NodeUnderTest) -> None:
    send_up(css, "m1", consumers=2)
    add(css, "objects/o/t", entry())

    assert [each["objectID"] for each in css.call("GET", OBJECTS, actor=USER).json()] == ["m1"]
    assert css.call("PUT", f"{OBJECTS}/m1/received", actor=USER).status == 204
    assert css.call("PUT", f"{OBJECTS}/m1/consumed", actor=USER).status == 204
    assert is_denied(css.call("PUT", f"{OBJECTS}/m1/consumed", actor=NAMESAKE))


def put_as(css: NodeUnderTest, actor: str, **meta: Any) -> int:
    body = {"meta": {"objectID": "m1", "objectType": "t", **meta}, "data": "eA=="}
    return css.call("PUT", f"{OBJECTS}/m1", body, actor=actor).status


def test_a_writer_writes_to_the_destinations_granted(css: NodeUnderTest) -> None:
    register(css)
    add(css, "objects/o/t", entry(role="aclWriter"))
    edge: dict[str, Any] = {"destinationType": "edge"}
    elsewhere: dict[str, Any] = {"destinationType": "camera"}
    everywhere: list[dict[str, Any]] = [{}, {"destinationsList": []}]
    for meta in (*everywhere, edge, {"destinationsList": ["edge:n1"]}):
        assert put_as(css, USER, **meta) == 403

    add(css, "destinations/o/edge", entry())
    for meta in (edge, {"destinationsList": ["edge:n1"]}):
        assert put_as(css, USER, **meta) == 204
    for meta in (*everywhere, elsewhere, {"destinationsList": ["edge:n1", "camera:c1"]}):
        assert put_as(css, USER, **meta) == 403
        assert put_as(css, NAMESAKE, **meta) == 403

    add(css, "destinations/o", entry())
    for meta in (*everywhere, elsewhere):
        assert put_as(css, USER, **meta) == 204


def test_a_policy_object_needs_no_grant_of_destinations(css: NodeUnderTest) -> None:
    add(css, "objects/o/t", entry(role="aclWriter"))

    assert put_as(css, USER, destinationPolicy={}) == 204
    for method, rest, body in (
        ("PUT", "/data", b"y"), ("PUT", "/destinations", b"[]"), ("PUT", "/activate", b""), ("PUT", "/policyreceived", b""),
        ("DELETE", "", b""),
    ):  # fmt: skip
        assert css.call(method, f"{OBJECTS}/m1{rest}", body, actor=USER).status == 204


def test_what_is_stored_decides_about_later_changes(css: NodeUnderTest) -> None:
    """A writer who may not address the nodes of an object changes neither its data nor its destinations, nor deletes it."""
    add(css, "objects/o/t", entry(role="aclWriter"))
    add(css, "destinations/o/edge", entry())
    css.put(f"{OBJECTS}/m1", b"x", destinationType="camera")

    with nothing_changes(css):
        for method, rest in (("PUT", "/data"), ("PUT", "/destinations"), ("POST", "/destinations"), ("DELETE", "")):
            assert is_denied(css.call(method, f"{OBJECTS}/m1{rest}", b"[]", actor=USER))

    css.put(f"{OBJECTS}/m1", b"x", destinationType="edge")
    assert css.call("PUT", f"{OBJECTS}/m1/data", b"y", actor=USER).status == 204
    assert css.call("DELETE", f"{OBJECTS}/m1", actor=USER).status == 204
    assert css.call("DELETE", f"{OBJECTS}/m1", actor=USER).status == 404


def test_a_reader_entry_of_the_type_beats_a_writer_entry_of_the_organization(css: NodeUnderTest) -> None:
    add(css, "objects/o", entry(role="aclWriter"))
    assert put_as(css, USER, destinationPolicy={}) == 204

    add(css, "objects/o/t", entry("*"))
    assert put_as(css, USER, destinationPolicy={}) == 403


@pytest.mark.parametrize("is_reader_first", [True, False])
def test_a_reader_entry_denies_whatever_the_order(css: NodeUnderTest, is_reader_first: bool) -> None:
    both = [entry("*"), entry(role="aclWriter")]
    for each in both if is_reader_first else reversed(both):
        add(css, "objects/o/t", each)

    assert put_as(css, USER, destinationPolicy={}) == 403
    assert css.call("GET", f"{OBJECTS}/m1", actor=USER).status == 404


def test_manifests_are_written_by_admins_and_writers_and_read_by_every_node_account(css: NodeUnderTest) -> None:
    manifest = f"/api/v1/objects/o/{MANIFEST_TYPE}/m1"
    css.put(manifest, b"x", destinationPolicy={})
    assert readable(css, NODE, manifest)
    assert not readable(css, USER, manifest)

    add(css, f"objects/o/{MANIFEST_TYPE}", entry(role="aclWriter"))
    assert css.call("PUT", f"{manifest}/data", b"y", actor=USER).status == 204
    assert is_denied(css.call("PUT", f"{manifest}/data", b"y", actor=NODE))
    assert is_denied(css.call("PUT", f"{manifest}/data", b"y", actor="o/olga"))


PUBLIC_ONLY = ["plain@o", "node7%o", "plain@x", "node7%x", "bob@x", "x/olga"]


@pytest.mark.parametrize("actor", PUBLIC_ONLY)
def test_a_public_object_is_read_by_everybody_and_touched_by_nobody(css: NodeUnderTest, actor: str) -> None:
    register(css)
    css.put(f"{OBJECTS}/m1", b"x", destinationType="edge", public=True)

    assert readable(css, actor)
    assert css.call("GET", f"{OBJECTS}/m1/destinations", actor=actor).status == 200
    with nothing_changes(css):
        for rest in (
            "",
            "/data",
            "/received",
            "/consumed",
            "/deleted",
            "/activate",
            "/policyreceived",
            "/destinations",
        ):
            assert is_denied(css.call("PUT", f"{OBJECTS}/m1{rest}", b"{}", actor=actor))
        assert is_denied(css.call("DELETE", f"{OBJECTS}/m1", actor=actor))

    css.put(f"{OBJECTS}/m1", b"x", destinationType="edge")
    assert not readable(css, actor)


@pytest.mark.parametrize("actor", ["o$svc$1.0.0$camera", "o/edge/n1", "nobody", None])
def test_others_do_not_even_read_public_objects(css: NodeUnderTest, actor: str | None) -> None:
    css.put(f"{OBJECTS}/m1", b"x", public=True)

    assert is_denied(css.call("GET", f"{OBJECTS}/m1", actor=actor))


def test_two_organizations_with_the_same_names_share_nothing(css: NodeUnderTest) -> None:
    theirs = "/api/v1/objects/x/t/m1"
    css.put(f"{OBJECTS}/m1", b"ours", destinationPolicy={})
    assert (
        css.call("PUT", theirs, {"meta": {"objectID": "m1", "objectType": "t"}, "data": "eA=="}, actor="bob@x").status
        == 204
    )
    add(css, "objects/o", entry(role="aclWriter"), entry("*", "aclWriter"))
    add(css, "destinations/o", entry(), entry("*"))

    for rest in ("", "/data", "/status"):
        assert css.call("GET", f"{OBJECTS}/m1{rest}", actor=USER).status == 200
        assert is_denied(css.call("GET", f"{OBJECTS}/m1{rest}", actor=NAMESAKE))
        assert is_denied(css.call("GET", theirs + rest, actor=USER))
    assert is_denied(css.call("PUT", f"{theirs}/data", b"y", actor=USER))
    assert is_denied(css.call("GET", f"{SECURITY}/objects/o", actor="bob@x"))
