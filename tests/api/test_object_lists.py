"""Lists of an organization's objects: with a policy, by filters, their types (rest-api 3.1 to 3.3)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_node import register, send_up

ORG = "/api/v1/objects/o"
POLICIES = f"{ORG}?destination_policy=true"
FILTERED = f"{ORG}?filters=true"
TYPES = f"{ORG}?list_object_type=true"
SERVICES = [{"orgID": "vendor", "arch": "*", "serviceName": "camera", "version": "1.0.0"}]


def put_policy(css: NodeUnderTest, object_id: str, object_type: str = "t", **policy: Any) -> int:
    """An object with this policy; its timestamp."""
    assert css.put(f"{ORG}/{object_type}/{object_id}", b"x", destinationPolicy=policy).status == 204
    timestamp: int = css.call("GET", f"{ORG}/{object_type}/{object_id}").json()["destinationPolicy"]["timestamp"]
    return timestamp


def ids(css: NodeUnderTest, target: str) -> list[str]:
    """404 with an empty body stands for none (rest-api 7.1)."""
    reply = css.call("GET", target)
    if reply.status == 404:
        assert reply.body == b""
        return []
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    return [item["objectID"] for item in reply.json()]


def is_refused(css: NodeUnderTest, target: str) -> bool:
    return css.call("GET", target).status == 400


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?filters=",
        "?filters=false",
        "?filters=maybe",
        "?destination_policy=false&filters=true",
        "?destination_policy=maybe&list_object_type=true",
        "?filters=0&list_object_type=true",
        "?Filters=true",
        "?all_objects=true",
    ],
)
def test_the_first_selector_with_a_value_decides(css: NodeUnderTest, query: str) -> None:
    css.put(f"{ORG}/t/m1", b"x")

    reply = css.call("GET", f"{ORG}{query}")
    assert (reply.status, reply.body) == (400, b"")


def test_empty_selectors_do_not_count(css: NodeUnderTest) -> None:
    css.put(f"{ORG}/t/m1", b"x")

    assert ids(css, f"{ORG}?destination_policy=&filters=1&list_object_type=maybe") == ["m1"]
    assert css.call("GET", f"{ORG}?filters=&list_object_type=t").json() == ["t"]


@pytest.mark.parametrize("selector", ["destination_policy", "filters", "list_object_type"])
def test_an_edge_has_no_lists_of_its_organization(ess: EdgeUnderTest, selector: str) -> None:
    ess.put("/api/v1/objects/t/m1", b"x")

    reply = ess.call("GET", f"/api/v1/objects/?{selector}=true")
    assert (reply.status, reply.body) == (400, b"")


def test_objects_with_a_policy_are_listed_with_their_destinations(css: NodeUnderTest) -> None:
    register(css)
    css.put(f"{ORG}/t/without", b"x")
    timestamp = put_policy(css, "m1", services=SERVICES, constraints=["a == b"])
    css.call("PUT", f"{ORG}/t/m1/destinations", '["edge:n1"]')

    assert css.call("GET", POLICIES).json() == [
        {
            "orgID": "o",
            "objectType": "t",
            "objectID": "m1",
            "destinationPolicy": {
                "properties": None,
                "constraints": ["a == b"],
                "services": SERVICES,
                "timestamp": timestamp,
            },
            "destinations": [{"destinationType": "edge", "destinationID": "n1", "status": "delivering", "message": ""}],
        }
    ]


def test_a_policy_shows_until_it_is_received_and_again_after_an_update(css: NodeUnderTest) -> None:
    put_policy(css, "m1")
    assert ids(css, POLICIES) == ids(css, POLICIES) == ["m1"]
    css.call("PUT", f"{ORG}/t/m1/policyreceived")

    assert ids(css, POLICIES) == ids(css, f"{POLICIES}&received=false") == []
    assert ids(css, f"{POLICIES}&received=true") == ["m1"]
    put_policy(css, "m1")
    assert ids(css, POLICIES) == ["m1"]


def test_policies_since_a_time_are_listed_received_or_not(css: NodeUnderTest) -> None:
    timestamp = put_policy(css, "m1")
    css.call("PUT", f"{ORG}/t/m1/policyreceived")

    assert ids(css, f"{POLICIES}&since=1") == ids(css, f"{POLICIES}&since={timestamp}") == ["m1"]
    assert ids(css, f"{POLICIES}&since={timestamp + 1}") == []
    assert ids(css, f"{POLICIES}&since={timestamp}&service=other/one") == ["m1"]
    assert ids(css, f"{POLICIES}&since={timestamp}&service=malformed&received=true") == ["m1"]


def test_policies_are_found_by_a_service_they_name(css: NodeUnderTest) -> None:
    put_policy(css, "twice", services=[*SERVICES, {**SERVICES[0], "arch": "arm", "version": "[1,2)"}])
    put_policy(css, "other", services=[{**SERVICES[0], "serviceName": "radar"}])
    put_policy(css, "none")

    assert ids(css, f"{POLICIES}&service=vendor/camera") == ["twice"]
    assert ids(css, f"{POLICIES}&service=vendor/cam") == ids(css, f"{POLICIES}&service=other/camera") == []
    css.call("PUT", f"{ORG}/t/twice/policyreceived")
    assert ids(css, f"{POLICIES}&service=vendor/camera") == ["twice"]


@pytest.mark.parametrize(
    "query",
    [
        *("since=0", "since=-1", "since=1.5", "since=now", "since=9223372036854775808", "since=1_0", "since=%D9%A1"),
        *("service=a", "service=a/", "service=/a", "service=/", "received=maybe", "received=maybe&since=1"),
    ],
)
def test_malformed_queries_for_policies_are_refused(css: NodeUnderTest, query: str) -> None:
    put_policy(css, "m1")

    reply = css.call("GET", f"{POLICIES}&{query}")
    assert (reply.status, reply.body) == (400, b"")


def test_deleted_objects_show_no_policies(css: NodeUnderTest) -> None:
    register(css)
    put_policy(css, "m1", services=SERVICES)
    css.call("PUT", f"{ORG}/t/m1/destinations", '["edge:n1"]')
    as_polled = css.call("GET", "/spi/v1/objects/", actor="o/edge/n1", headers={"x-sync-service-dest": "o/edge/n1"})
    assert as_polled.status == 200
    css.call("DELETE", f"{ORG}/t/m1")

    assert css.call("GET", f"{ORG}/t/m1/status").body == b"objdeleted"
    for query in ("", "&received=true", "&since=1", "&service=vendor/camera"):
        assert ids(css, f"{POLICIES}{query}") == []
    assert ids(css, f"{FILTERED}&deleted=true") == ["m1"]


def test_filters_show_metadata_of_everything_in_the_organization(css: NodeUnderTest) -> None:
    css.put(f"{ORG}/b/own", b"x")
    put_policy(css, "with-policy", "a")
    send_up(css, "from-an-edge")
    css.put("/api/v1/objects/x/t/elsewhere", b"x")

    found = css.call("GET", FILTERED).json()

    assert [item["objectID"] for item in found] == ["with-policy", "own", "from-an-edge"]
    assert found[1] == css.call("GET", f"{ORG}/b/own").json()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("objectType=t&objectID=m1", ["m1"]),
        ("objectType=t&objectID=m9", []),
        ("objectID=m1", ["list", "m1", "policy", "type", "up"]),
        ("objectID=not%20a%20name", ["list", "m1", "policy", "type", "up"]),
        ("objectType=unknown", []),
        ("destinationPolicy=true", ["policy"]),
        ("destinationPolicy=false", ["list", "m1", "type", "up"]),
        ("destinationPolicy=true&dpService=vendor/camera", ["policy"]),
        ("destinationPolicy=true&dpService=vendor/other", []),
        ("destinationPolicy=false&dpService=vendor/other", ["list", "m1", "type", "up"]),
        ("dpService=malformed&dpPropertyName=x&since=soon", ["list", "m1", "policy", "type", "up"]),
        ("destinationPolicy=true&dpPropertyName=size", ["policy"]),
        ("destinationPolicy=true&dpPropertyName=siz", []),
        ("destinationPolicy=true&since=2000-01-01T00:00:00Z", ["policy"]),
        ("destinationPolicy=true&since=2200-01-01T00:00:00%2B02:00", []),
        ("destinationType=edge", ["list", "m1", "type", "up"]),
        ("destinationType=edge&destinationID=n1", ["list", "m1", "up"]),
        ("destinationType=edg", []),
        ("destinationType=with%20space", []),
        ("destinationID=n1", ["list", "m1", "policy", "type", "up"]),
        ("noData=true", ["type"]),
        ("noData=false&destinationType=edge", ["list", "m1", "up"]),
        ("expirationTimeBefore=2099-01-01T00:00:00Z", ["m1"]),
        ("expirationTimeBefore=2099-01-01T02:00:00%2B02:00", ["m1"]),
        ("expirationTimeBefore=2098-12-31T23:59:59.999Z", []),
        ("expirationTimeBefore=9999-12-31T23:59:59Z", ["m1"]),
        ("deleted=true", []),
        ("deleted=false&noData=1", ["type"]),
        (
            "objectType=&noData=&deleted=&since=&dpService=&expirationTimeBefore=",
            ["list", "m1", "policy", "type", "up"],
        ),
    ],
)
def test_filters_are_combined(css: NodeUnderTest, query: str, expected: list[str]) -> None:
    register(css)
    css.put(f"{ORG}/t/m1", b"x", destinationType="edge", destinationID="n1", expiration="2099-01-01T00:00:00Z")
    css.put(f"{ORG}/t/type", destinationType="edge", noData=True)
    css.put(f"{ORG}/t/list", b"x", destinationsList=["edge:n1"])
    put_policy(css, "policy", services=SERVICES, properties=[{"name": "size", "value": 1}])
    send_up(css, "up")

    assert ids(css, f"{FILTERED}&{query}") == expected


@pytest.mark.parametrize(
    "query",
    [
        *("noData=x", "deleted=2", "destinationPolicy=yes", "expirationTimeBefore=soon"),
        *("expirationTimeBefore=2031-01-01", "expirationTimeBefore=2031-01-01t00:00:00Z"),
        *("destinationPolicy=true&since=1", "destinationPolicy=true&since=1969-12-31T23:59:59Z"),
        *("destinationPolicy=true&since=2300-01-01T00:00:00Z", "destinationPolicy=true&since=2262-04-12T00:00:00Z"),
        *("destinationPolicy=true&dpService=a", "destinationPolicy=true&dpService=a/"),
    ],
)
def test_malformed_filters_are_refused_without_a_text(css: NodeUnderTest, query: str) -> None:
    put_policy(css, "m1")

    reply = css.call("GET", f"{FILTERED}&{query}")
    assert (reply.status, reply.body) == (400, b"")


@pytest.mark.parametrize(
    "query",
    ["objectType=a%20b", "objectType=t&objectID=a/b", "destinationType=a%3Cb", "destinationType=a&destinationID=%3E"],
)
def test_names_that_are_none_are_refused_with_a_text(css: NodeUnderTest, query: str) -> None:
    reply = css.call("GET", f"{FILTERED}&{query}")

    assert reply.status == 400
    assert reply.body


def test_types_are_listed_once(css: NodeUnderTest) -> None:
    for object_type, object_id in (("b", "1"), ("a-b", "1"), ("a", "1"), ("a", "2"), ("B", "1")):
        css.put(f"{ORG}/{object_type}/{object_id}", b"x")

    assert css.call("GET", TYPES).json() == ["B", "a", "a-b", "b"]
    reply = css.call("GET", "/api/v1/objects/x?list_object_type=true", actor="bob@x")
    assert (reply.status, reply.body) == (404, b"")


@pytest.mark.parametrize("target", [POLICIES, FILTERED, TYPES])
def test_what_is_hidden_leaves_an_empty_list_and_nothing_leaves_none(css: NodeUnderTest, target: str) -> None:
    for actor in ("plain@o", "bob@x"):
        reply = css.call("GET", target, actor=actor)
        assert (reply.status, reply.body) == (404, b"")
    put_policy(css, "m1")

    for actor in ("plain@o", "bob@x"):
        reply = css.call("GET", target, actor=actor)
        assert (reply.status, reply.json()) == (200, [])


def test_those_who_are_shown_public_objects_only_see_these(css: NodeUnderTest) -> None:
    for name, public in (("hidden", False), ("open", True)):
        css.put(f"{ORG}/{name}/m1", b"x", public=public, destinationPolicy={})

    for actor in ("plain@o", "bob@x", "node7%o"):
        assert [each["objectType"] for each in css.call("GET", FILTERED, actor=actor).json()] == ["open"]
        assert [each["objectType"] for each in css.call("GET", POLICIES, actor=actor).json()] == ["open"]
        assert css.call("GET", TYPES, actor=actor).json() == ["open"]
        assert css.call("GET", f"{ORG}/hidden?all_objects=true", actor=actor).status == 404
        assert css.call("GET", f"{ORG}/open?all_objects=true", actor=actor).status == 200


def test_types_of_an_access_list_are_seen_whole_beside_what_is_public(css: NodeUnderTest) -> None:
    for object_type in ("a", "b", "c"):
        for public in (False, True):
            name = "public" if public else "private"
            css.put(f"{ORG}/{object_type}/{name}", b"x", public=public, destinationPolicy={})
    css.call(
        "PUT",
        "/api/v1/security/objects/o/b",
        {"action": "add", "users": [{"ACLUserType": "user", "Username": "plain", "ACLRole": "aclReader"}]},
    )

    expected = [("a", "public"), ("b", "private"), ("b", "public"), ("c", "public")]
    for target in (POLICIES, FILTERED):
        found = css.call("GET", target, actor="plain@o").json()
        assert [(each["objectType"], each["objectID"]) for each in found] == expected
        paged = css.call("GET", f"{target}&limit=2", actor="plain@o").json()
        assert [(each["objectType"], each["objectID"]) for each in paged] == expected[:2]


def test_an_edge_lists_all_objects_of_a_type_as_far_as_a_service_sees_them(ess: EdgeUnderTest) -> None:
    ess.put("/api/v1/objects/t/for-camera", b"x", destinationPolicy={"services": SERVICES})
    ess.put("/api/v1/objects/t/for-all", b"x")

    def listed(actor: str) -> list[str]:
        reply = ess.call("GET", "/api/v1/objects/t?all_objects=true", actor=actor)
        return [item["objectID"] for item in reply.json()] if reply.status == 200 else []

    assert listed("o$vendor$1.0.0$camera") == ["for-all", "for-camera"]
    assert listed("o$vendor$2.0.0$radar") == ["for-all"]
    assert listed("o/ann") == ["for-all", "for-camera"]
