"""Organizations (rest-api 3.18): registered, listed, removed with everything they have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from css.services import organizations as service
from tests.support.manual_clock import ManualClock
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest, Parts, a_css
from tests.support.requests_asgi import Reply
from tests.support.requests_node import FOREIGN_EDGE, as_node, nothing_changes, register, send_up

ORGS = "/api/v1/organizations"
ROOT, OWN, OTHER = "root@o", "ann@o", "bob@x"
OBJECTS = "/api/v1/objects/o/t"

#: Those who are no administrators.
OTHERS = ["o/olga", "plain@o", "node7%o", "o$svc$1.0.0$camera", "o/edge/n1", "nobody", None]


def body(org: str = "o", **members: Any) -> dict[str, Any]:
    return {"orgID": org, "user": "u", "password": "hush-hush", "address": "broker.example:1883", **members}


def put(css: NodeUnderTest, org: str = "o", actor: str | None = ROOT, **members: Any) -> Reply:
    return css.call("PUT", f"{ORGS}/{org}", body(org, **members), actor=actor)


def listed(css: NodeUnderTest, actor: str = ROOT) -> Any:
    reply = css.call("GET", ORGS, actor=actor)
    return reply.json() if reply.status == 200 else (reply.status, reply.body)


def shown(org: str, address: str = "broker.example:1883") -> dict[str, str]:
    return {"org-id": org, "address": address}


def is_denied(reply: Reply) -> bool:
    return (reply.status, reply.body) == (403, b"Unauthorized")


def test_organizations_are_listed_without_their_secrets(css: NodeUnderTest) -> None:
    assert listed(css) == (404, b"")

    assert put(css, "o").status == 204
    assert put(css, "b", address="").status == 204
    assert listed(css) == [shown("b", ""), shown("o")]
    assert listed(css, OWN) == [shown("o")]
    assert listed(css, OTHER) == []
    assert css.call("GET", f"{ORGS}/", actor=ROOT).json() == [shown("b", ""), shown("o")]


def test_registering_again_replaces(css: NodeUnderTest) -> None:
    put(css, "o")
    assert css.call("PUT", f"{ORGS}/o", {"orgID": "o"}, actor=ROOT).status == 204

    assert listed(css) == [shown("o", "")]


def test_members_are_understood_in_any_case_and_others_ignored(css: NodeUnderTest) -> None:
    assert css.call("PUT", f"{ORGS}/o", {"ORGID": "o", "Address": "a", "x": 1, "user": None}, actor=ROOT).status == 204

    assert listed(css) == [shown("o", "a")]


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", b"[]", b"{}", {"org-id": "o"}, body("other"), body(address=1), body(user=["u"]), body(password="a\0b")],
)  # fmt: skip
def test_a_malformed_registration_is_refused_in_a_line(css: NodeUnderTest, content: Any) -> None:
    with nothing_changes(css):
        reply = css.call("PUT", f"{ORGS}/o", content, actor=ROOT)
    assert (reply.status, reply.body[-1:]) == (400, b"\n")
    assert b"hush-hush" not in reply.body


def test_administrators_see_and_change_their_own_only(css: NodeUnderTest) -> None:
    for actor in OTHERS:
        assert is_denied(css.call("GET", ORGS, actor=actor))
    for actor in [*OTHERS, OTHER]:
        with nothing_changes(css):
            assert is_denied(put(css, "o", actor))
            assert is_denied(css.call("DELETE", f"{ORGS}/o", actor=actor))
    for actor in (OWN, ROOT):
        assert put(css, "o", actor).status == 204
        assert css.call("DELETE", f"{ORGS}/o", actor=actor).status == 204


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_another_method_on_the_list_reveals_nothing(css: NodeUnderTest, method: str) -> None:
    put(css, "o")
    reply = css.call(method, ORGS, actor=ROOT)

    assert (reply.status, reply.body) == (405, b"")


def test_other_addresses(css: NodeUnderTest) -> None:
    for method in ("GET", "POST"):
        assert css.call(method, f"{ORGS}/o", actor=ROOT).status == 405
    assert css.call("PUT", f"{ORGS}/a%20b", actor=None).status == 400
    assert css.call("PUT", f"{ORGS}/o/x", actor=ROOT).status == 400
    assert is_denied(css.call("PUT", f"{ORGS}/o/x", actor=None))


def furnish(css: NodeUnderTest, org: str, admin: str, objects: int = 3) -> None:
    """Nodes, objects with deliveries, what they sent up, uploads begun, access lists."""
    base = f"/api/v1/objects/{org}/t"
    register(css, replace_org(org))
    for number in range(objects):
        meta = {"objectID": f"m{number}", "objectType": "t", "destinationType": "edge"}
        assert css.call("PUT", f"{base}/m{number}", {"meta": meta, "data": "Kg=="}, actor=admin).status == 204
    large = b"x" * (css.parts.small_payload_bytes + 1)
    assert css.call("PUT", f"{base}/m0/data", large, actor=admin).status == 204
    piece = {"content-range": "bytes 0-9/100"}
    assert css.call("PUT", f"{base}/m1/data", b"0123456789", actor=admin, headers=piece).status == 204
    users = {"action": "add", "users": [{"Username": "*", "ACLUserType": "user", "ACLRole": "aclWriter"}]}
    for kind in ("objects", "destinations"):
        assert css.call("PUT", f"/api/v1/security/{kind}/{org}", users, actor=admin).status == 204


def replace_org(org: str) -> Any:
    return FOREIGN_EDGE._replace(org=org)


def rows_about(css: NodeUnderTest, org: str) -> dict[str, list[str]]:
    """Rows that name the organization, by table; accounts aside, every one of them is its own.

    What it uses is counted on, down to nothing.
    """
    named = {table: [row for row in rows if f"'{org}'" in row] for table, rows in css.holdings().rows.items()}
    named["org_usage"] = [row for row in named.get("org_usage", []) if not row.endswith(", 0, 0, 0, 0)")]
    return {table: rows for table, rows in named.items() if rows}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "REMOVAL_PAGE_ROWS", 4)


@pytest.mark.usefixtures("small_pages")
def test_an_organization_goes_with_everything_it_has(css: NodeUnderTest) -> None:
    register(css)
    send_up(css, "up")
    put(css, "o")
    put(css, "x")
    furnish(css, "o", OWN, objects=10)
    furnish(css, "x", OTHER)
    theirs = rows_about(css, "x")

    assert css.call("DELETE", f"{ORGS}/o", actor=OWN).status == 204

    assert rows_about(css, "o") == {}
    assert rows_about(css, "x") == theirs
    assert listed(css) == [shown("x")]
    for target in (
        OBJECTS,
        "/api/v1/destinations/o",
        "/api/v1/security/objects/o",
        f"{OBJECTS}/m1",
        f"{OBJECTS}/m0/data",
    ):
        assert css.call("GET", target).status == 404
    clock = css.parts.clock
    assert isinstance(clock, ManualClock)
    clock.advance(seconds=60)  # for so long a registration is remembered
    assert as_node(css, "GET", "objects/").status == 424
    assert css.call("GET", "/api/v1/objects/x/t/m0", actor=OTHER).status == 200


def test_an_organization_can_begin_anew(css: NodeUnderTest) -> None:
    furnish(css, "o", OWN)
    assert css.call("DELETE", f"{ORGS}/o", actor=OWN).status == 204

    furnish(css, "o", OWN)
    assert css.call("GET", f"{OBJECTS}/m2/destinations").json()[0]["destinationID"] == "n1"


def test_removing_what_was_never_registered_is_fine_and_removes_what_there_is(css: NodeUnderTest) -> None:
    assert css.call("DELETE", f"{ORGS}/o", actor=ROOT).status == 204

    furnish(css, "o", OWN)
    assert css.call("DELETE", f"{ORGS}/o", actor=ROOT).status == 204
    assert rows_about(css, "o") == {}


@pytest.fixture
def css_of_one_organization(new_parts: Callable[[str], Parts]) -> Iterator[NodeUnderTest]:
    with closing(a_css(new_parts("css"), org="o")) as node:
        yield node


def test_a_cloud_of_one_organization_lists_it_and_lets_nobody_change_it(css_of_one_organization: NodeUnderTest) -> None:
    css = css_of_one_organization

    assert listed(css) == listed(css, OWN) == [shown("o", "")]
    assert listed(css, OTHER) == []
    with nothing_changes(css):
        for method in ("PUT", "DELETE"):
            for actor in (OWN, ROOT):
                reply = css.call(method, f"{ORGS}/o", body(), actor=actor)
                assert (reply.status, reply.body[-1:]) == (400, b"\n")
            assert is_denied(css.call(method, f"{ORGS}/o", body(), actor=OTHER))


def test_an_edge_refuses_those_who_might_ask_the_cloud_and_denies_others(ess: EdgeUnderTest) -> None:
    for method, target in (("GET", ORGS), ("GET", f"{ORGS}/"), ("PUT", f"{ORGS}/o"), ("DELETE", f"{ORGS}/o")):
        for actor in (OWN, ROOT):
            reply = ess.call(method, target, body(), actor=actor)
            assert (reply.status, reply.body[-1:]) == (400, b"\n")
        for denied in OTHERS:
            assert is_denied(ess.call(method, target, body(), actor=denied))
    assert is_denied(ess.call("PUT", f"{ORGS}/o", body(), actor=OTHER))
    assert ess.call("POST", ORGS).status == 405
    assert ess.call("GET", f"{ORGS}/o").status == 405
    assert ess.call("PUT", f"{ORGS}/a%20b", actor=None).status == 400
