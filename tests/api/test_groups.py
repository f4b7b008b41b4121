"""Groups, labels and placement through the interface, and dry runs of publishes."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from common.domain.ids import NodeKey
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_asgi import Reply
from tests.support.requests_node import EDGE, OTHER_EDGE, as_node, poll, register

GROUPS = "/api/v1/groups/o"
LAB = f"{GROUPS}/lab"
PLACEMENT = "/api/v1/placement/o"
LABELS = "/api/v1/destinations/o/edge/n1/labels"
M1 = "/api/v1/objects/o/t/m1"
TO_LAB = {"destinationType": "@group", "destinationID": "lab"}
AT_LAB = {"expression": "site == lab"}


def register_labelled(css: NodeUnderTest, labels: str, node: NodeKey = EDGE) -> int:
    path = f"register-new/{'/'.join(node)}?persistent-storage=true"
    return as_node(css, "PUT", path, node=node, headers={"sync-labels": labels}).status


def destinations(css: NodeUnderTest) -> list[str]:
    reply = css.call("GET", f"{M1}/destinations")
    return [] if reply.status == 404 else [each["destinationID"] for each in reply.json()]


def rehearse(
    node: NodeUnderTest, target: str = M1, data: bytes | None = b"data", query: str = "dry_run=true", **meta: Any
) -> Reply:
    body: dict[str, Any] = {"meta": {"objectID": "m1", "objectType": "t", **meta}}
    if data is not None:
        body["data"] = base64.b64encode(data).decode()
    return node.call("PUT", f"{target}?{query}", body)


def planned(css: NodeUnderTest, data: bytes | None = b"data", **meta: Any) -> dict[str, Any]:
    before = css.holdings()
    reply = rehearse(css, data=data, **meta)
    assert reply.status == 200, reply.body
    assert css.holdings() == before
    plan: dict[str, Any] = reply.json()
    return plan


def put(css: NodeUnderTest, target: str, body: dict[str, Any] | bytes) -> tuple[int, bytes]:
    reply = css.call("PUT", target, body)
    return reply.status, reply.body


def test_a_group_is_defined_shown_changed_and_removed(css: NodeUnderTest) -> None:
    assert css.call("GET", GROUPS).json() == []
    assert css.call("GET", LAB).status == 404
    assert css.call("PUT", LAB, {"members": ["edge:n2", "edge:n1", "edge:n2"]}).status == 204
    assert css.call("GET", LAB).json() == {"orgID": "o", "name": "lab", "members": ["edge:n1", "edge:n2"]}
    assert css.call("PUT", LAB, AT_LAB).status == 204
    assert css.call("GET", LAB).json() == {"orgID": "o", "name": "lab", **AT_LAB}
    assert css.call("GET", GROUPS).json() == [{"orgID": "o", "name": "lab", **AT_LAB}]

    assert css.call("DELETE", LAB).status == 204
    assert css.call("DELETE", LAB).status == 404
    assert css.call("GET", GROUPS).json() == []


def test_members_are_the_registered_nodes_page_by_page(css: NodeUnderTest) -> None:
    assert css.call("GET", f"{LAB}/members").status == 404
    css.call("PUT", LAB, {"members": ["edge:n1", "edge:n2", "edge:n3"]})
    assert css.call("GET", f"{LAB}/members").json() == []
    register(css, EDGE)
    register(css, OTHER_EDGE)

    shown = [{"destinationType": "edge", "destinationID": name} for name in ("n1", "n2")]
    assert css.call("GET", f"{LAB}/members").json() == shown
    first = css.call("GET", f"{LAB}/members?limit=1")
    assert first.json() == shown[:1]
    target = first.headers["link"].partition("<")[2].partition(">")[0]
    assert css.call("GET", target).json() == shown[1:]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"members": null}',
        {"members": ["edge:n1"], "expression": "site == lab"},
        {"members": ["n1"]},
        {"members": ["Cloud:Cloud"]},
        {"members": ["@group:other"]},
        {"members": ["edge:n 1"]},
        {"members": [1]},
        {"expression": "site =="},
        {"expression": 7},
        {"expression": "site == lab", "colour": "red"},
        b'{"expression": "\\ud800"}',
        b"\xff",
    ],
)
def test_a_group_that_is_none_is_refused(css: NodeUnderTest, body: bytes | dict[str, Any]) -> None:
    before = css.holdings()

    status, text = put(css, LAB, body)

    assert status == 400
    assert text
    assert css.holdings() == before


def test_a_mistake_in_an_expression_is_told_with_its_place(css: NodeUnderTest) -> None:
    _, text = put(css, LAB, {"expression": "site == lab && cpu >"})

    assert b"Expected a value instead of the end, at character 21" in text


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/api/v1/groups/", 400),
        ("GET", f"{LAB}/members/n1", 400),
        ("GET", f"{LAB}/colours", 400),
        ("POST", LAB, 405),
        ("PUT", GROUPS, 405),
        ("DELETE", GROUPS, 405),
        ("PUT", f"{LAB}/members", 405),
        ("GET", "/api/v1/groups/o%3C", 400),
        ("PUT", f"{GROUPS}/l%20b", 400),
        ("GET", "/api/v1/placement/", 400),
        ("DELETE", PLACEMENT, 405),
        ("DELETE", LABELS, 405),
        ("GET", "/api/v1/destinations/o/edge/n%3C/labels", 400),
    ],
)
def test_other_addresses_and_methods_are_refused(css: NodeUnderTest, method: str, target: str, status: int) -> None:
    assert css.call(method, target, {"expression": "site == lab"}).status == status


@pytest.mark.parametrize("target", [LAB, PLACEMENT, LABELS])
@pytest.mark.parametrize(
    ("actor", "may_read", "may_write"),
    [
        ("ann@o", True, True),
        ("root@o", True, True),
        ("plain@o", True, False),
        ("ann@x", False, False),
        ("o/edge/n1", False, False),
        (None, False, False),
    ],
)
def test_administrators_change_what_everybody_at_home_may_see(
    css: NodeUnderTest, target: str, actor: str | None, may_read: bool, may_write: bool
) -> None:
    bodies: dict[str, dict[str, Any]] = {
        LAB: {"members": []},
        PLACEMENT: {"placement": "builtin"},
        LABELS: {"site": "lab"},
    }
    for each in (LAB, LABELS):
        css.call("PUT", each, {"members": []} if each is LAB else {"a": "1"})

    assert css.call("GET", target, actor=actor).status == (200 if may_read else 403)
    assert css.call("PUT", target, bodies[target], actor=actor).status == (204 if may_write else 403)


def test_labels_are_replaced_and_changed(css: NodeUnderTest) -> None:
    assert css.call("GET", LABELS).status == 404
    assert register_labelled(css, "site=lab,motto=one%2C%20two") == 204
    assert css.call("PUT", LABELS, {"site": "hall", "owner": "ann"}).status == 204
    assert css.call("PATCH", LABELS, {"owner": None, "cpu": "4"}).status == 204

    assert css.call("GET", LABELS).json() == {
        "labels": {"site": "hall", "motto": "one, two", "cpu": "4"},
        "registration": {"site": "lab", "motto": "one, two"},
        "admin": {"site": "hall", "cpu": "4"},
    }
    assert css.call("PUT", LABELS, {}).status == 204
    assert css.call("GET", LABELS).json()["labels"] == {"site": "lab", "motto": "one, two"}


@pytest.mark.parametrize("body", [b"", b"[]", {"in": "x"}, {"a": 1}, {"a": "\n"}, {"a": "x" * 257}, {"a": None}])
def test_labels_that_are_none_are_refused(css: NodeUnderTest, body: bytes | dict[str, Any]) -> None:
    assert put(css, LABELS, body)[0] == 400
    assert css.call("GET", LABELS).status == 404


@pytest.mark.parametrize("text", ["site", "site=%ff", "a=1,a=2", "in=x"])
def test_a_node_that_says_nonsense_about_itself_is_not_registered(css: NodeUnderTest, text: str) -> None:
    assert register_labelled(css, text) == 400
    assert css.call("GET", "/api/v1/destinations/o").status == 404


def test_no_node_has_the_type_of_groups(css: NodeUnderTest) -> None:
    assert register_labelled(css, "", NodeKey("o", "@group", "lab")) == 403


def test_an_object_for_a_group_reaches_members_as_their_own(css: NodeUnderTest) -> None:
    register_labelled(css, "site=lab")
    register_labelled(css, "site=hall", OTHER_EDGE)
    css.call("PUT", LAB, AT_LAB)

    assert css.put(M1, b"data", **TO_LAB).status == 204

    assert destinations(css) == ["n1"]
    [item] = poll(css)
    assert (item["MetaData"]["destinationType"], item["MetaData"]["destinationID"]) == ("edge", "n1")
    shown = css.call("GET", M1).json()
    assert (shown["destinationType"], shown["destinationID"]) == ("@group", "lab")


@pytest.mark.parametrize(
    ("meta", "text"),
    [
        ({"destinationType": "@group"}, b"needs the name of the group"),
        ({"destinationsList": ["@group:lab"]}, b"destinationsList names nodes"),
        ({"destinationType": "@group", "destinationID": "hall"}, b"no group hall"),
    ],
)
def test_what_addresses_no_group_is_refused(css: NodeUnderTest, meta: dict[str, Any], text: bytes) -> None:
    css.call("PUT", LAB, AT_LAB)

    reply = css.put(M1, b"data", **meta)

    assert (reply.status, css.call("GET", M1).status) == (400, 404)
    assert text in reply.body


def test_an_organization_chooses_who_places_its_policy_objects(css: NodeUnderTest) -> None:
    register_labelled(css, "site=lab")
    css.put(M1, b"data", destinationPolicy={"constraints": ["site == lab"]})
    assert css.call("GET", PLACEMENT).json() == {"placement": "outside"}
    assert destinations(css) == []

    assert css.call("PUT", PLACEMENT, {"placement": "builtin"}).status == 204
    assert css.call("GET", PLACEMENT).json() == {"placement": "builtin"}
    assert put(css, PLACEMENT, {"placement": "nobody"})[0] == 400
    css.put(M1, b"data", destinationPolicy={"constraints": ["site == lab"]})
    assert destinations(css) == ["n1"]


def test_a_dry_run_tells_who_would_get_the_object_and_changes_nothing(css: NodeUnderTest) -> None:
    register(css, EDGE)
    register(css, OTHER_EDGE)
    css.put(M1, b"data", destinationType="edge", destinationID="n2")
    poll(css, node=OTHER_EDGE)

    assert planned(css, b"longer data", destinationsList=["edge:n1"]) == {
        "destinations": [
            {
                "destinationType": "edge",
                "destinationID": "n1",
                "action": "send",
                "why": "listed in destinationsList",
            },
            {"destinationType": "edge", "destinationID": "n2", "action": "withdraw", "why": "no longer addressed"},
        ],
        "count": 2,
        "bytes": 11,
        "reason": "",
    }


@pytest.mark.parametrize(
    ("meta", "why"),
    [
        ({}, "addressed to every node"),
        ({"destinationType": "edge"}, "addressed to nodes of the type edge"),
        ({"destinationType": "edge", "destinationID": "n1"}, "addressed by name"),
        ({"destinationsList": ["edge:n1"]}, "listed in destinationsList"),
        (TO_LAB, "member of the group lab"),
        ({"destinationPolicy": {"constraints": ["site == lab"]}}, "its labels satisfy the policy"),
    ],
)
def test_a_dry_run_tells_why(css: NodeUnderTest, meta: dict[str, Any], why: str) -> None:
    css.call("PUT", PLACEMENT, {"placement": "builtin"})
    register_labelled(css, "site=lab")
    css.call("PUT", LAB, AT_LAB)

    plan = planned(css, **meta)

    assert [(each["action"], each["why"]) for each in plan["destinations"]] == [("send", why)]
    assert (plan["count"], plan["bytes"], plan["reason"]) == (1, 4, "")


@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        ({}, "No node is registered yet."),
        ({"destinationType": "edge"}, "No node of the type edge is registered yet."),
        ({"destinationType": "edge", "destinationID": "n1"}, "The node edge:n1 is not registered yet."),
        (TO_LAB, "The group lab has no members."),
        ({"destinationPolicy": {}}, "The object waits for an outside policy engine."),
    ],
)
def test_a_dry_run_tells_why_nobody_would_get_it(css: NodeUnderTest, meta: dict[str, Any], reason: str) -> None:
    css.call("PUT", LAB, AT_LAB)

    assert planned(css, **meta) == {"destinations": [], "count": 0, "bytes": 0, "reason": reason}


@pytest.mark.parametrize(
    ("constraints", "reason"),
    [
        (["site == lab"], "No node has labels that satisfy the policy."),
        (
            ["site == lab", "cpu >"],
            "Constraint 2: Expected a value instead of the end, at character 6 of the expression.",
        ),
    ],
)
def test_a_dry_run_tells_what_is_wrong_with_a_policy(css: NodeUnderTest, constraints: list[str], reason: str) -> None:
    css.call("PUT", PLACEMENT, {"placement": "builtin"})
    register(css, EDGE)

    assert planned(css, destinationPolicy={"constraints": constraints})["reason"] == reason


@pytest.mark.parametrize(
    ("data", "meta", "reason"),
    [(None, {}, "The object waits for its data."), (b"data", {"inactive": True}, "The object is inactive.")],
)
def test_a_dry_run_tells_what_would_wait(
    css: NodeUnderTest, data: bytes | None, meta: dict[str, Any], reason: str
) -> None:
    register(css, EDGE)

    plan = planned(css, data, **meta)

    assert [each["action"] for each in plan["destinations"]] == ["keep"]
    assert (plan["bytes"], plan["reason"]) == (0, reason)


def test_data_that_a_node_has_already_does_not_travel_again(css: NodeUnderTest) -> None:
    register(css, EDGE)
    register(css, OTHER_EDGE)
    css.put(M1, b"data")
    [item] = poll(css)
    instance = item["MetaData"]["instanceID"]
    assert as_node(css, "PUT", f"objects/o/t/m1/{instance}/{instance}/received").status == 204

    plan = planned(css, None, metaOnly=True)

    assert [each["action"] for each in plan["destinations"]] == ["send", "send"]
    assert plan["bytes"] == 4


@pytest.mark.parametrize(
    "meta", [{"objectID": "other"}, {"destinationsList": ["edge:n9"]}, {"hashAlgorithm": "MD5"}, TO_LAB]
)
def test_a_dry_run_refuses_what_a_publish_would_refuse(css: NodeUnderTest, meta: dict[str, Any]) -> None:
    before = css.holdings()

    refused, dry = css.put(M1, b"data", **meta), rehearse(css, **meta)

    assert (dry.status, dry.body) == (refused.status, refused.body)
    assert css.holdings() == before


def test_a_dry_run_that_is_not_clearly_one_is_refused(css: NodeUnderTest) -> None:
    before = css.holdings()

    assert rehearse(css, query="dry_run=maybe").status == 400
    assert css.holdings() == before
    assert rehearse(css, query="dry_run=false").status == 204


def test_only_who_may_publish_may_rehearse_it(css: NodeUnderTest) -> None:
    body = {"meta": {"objectID": "m1", "objectType": "t"}}

    assert css.call("PUT", f"{M1}?dry_run=true", body, actor="plain@o").status == 403


def test_what_an_edge_publishes_goes_to_the_cloud(ess: EdgeUnderTest) -> None:
    reply = rehearse(ess, "/api/v1/objects/t/m1", destinationType="@group", destinationID="lab")

    assert reply.json() == {
        "destinations": [
            {
                "destinationType": "Cloud",
                "destinationID": "Cloud",
                "action": "send",
                "why": "objects of an edge go to the cloud",
            }
        ],
        "count": 1,
        "bytes": 4,
        "reason": "",
    }
