"""Quotas of organizations: seen, set, and kept to by everything that stores."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_asgi import Reply
from tests.support.requests_node import announcement, as_node, message_path, nothing_changes, register, send_up

ROOT, ADMIN, FOREIGN = "root@o", "ann@o", "bob@x"
QUOTA = "/api/v1/quotas/o"
M1, M2 = "/api/v1/objects/o/t/m1", "/api/v1/objects/o/t/m2"
GIB = 2**30


def limit(css: NodeUnderTest, **members: int | None) -> None:
    assert css.call("PUT", QUOTA, members, actor=ROOT).status == 204


def used(css: NodeUnderTest) -> tuple[int, int]:
    shown = css.call("GET", QUOTA, actor=ADMIN).json()
    return shown["objects"]["used"], shown["payloadBytes"]["used"]


def is_refused(reply: Reply) -> bool:
    return reply.status == 507 and b"may not have more than" in reply.body


def test_an_organization_without_a_quota_sees_what_it_keeps(css: NodeUnderTest) -> None:
    css.put(M1, b"12345", destinationType="edge")

    assert css.call("GET", QUOTA, actor=ADMIN).json() == {
        "orgID": "o",
        "objects": {"used": 1, "limit": None, "default": True},
        "payloadBytes": {"used": 5, "limit": None, "default": True},
    }


def test_a_quota_is_set_shown_and_taken_back(css: NodeUnderTest) -> None:
    limit(css, objects=7)
    shown = css.call("GET", QUOTA, actor=ROOT).json()
    assert shown["objects"] == {"used": 0, "limit": 7, "default": False}
    assert shown["payloadBytes"] == {"used": 0, "limit": None, "default": True}

    assert css.call("DELETE", QUOTA, actor=ROOT).status == 204
    assert css.call("GET", QUOTA, actor=ROOT).json()["objects"]["limit"] is None


@pytest.mark.parametrize(
    "body",
    [{"objects": -1}, {"objects": 1.5}, {"objects": "many"}, {"objcts": 1}, {"payloadBytes": 2**60}, "[]", ""],
)
def test_a_quota_that_is_none_is_refused(css: NodeUnderTest, body: dict[str, Any] | str) -> None:
    with nothing_changes(css):
        assert css.call("PUT", QUOTA, body, actor=ROOT).status == 400


@pytest.mark.parametrize("actor", [FOREIGN, "o/olga", "plain@o", "node7%o", "o$svc$1.0.0$camera", "o/edge/n1", None])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_quotas_are_for_administrators(css: NodeUnderTest, method: str, actor: str | None) -> None:
    reply = css.call(method, QUOTA, {"objects": 0} if method == "PUT" else b"", actor=actor)

    assert (reply.status, reply.body) == (403, b"Unauthorized")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_administrator_of_the_organization_cannot_change_its_quota(css: NodeUnderTest, method: str) -> None:
    limit(css, objects=1)

    assert css.call(method, QUOTA, {"objects": 9} if method == "PUT" else b"", actor=ADMIN).status == 403
    assert css.call("GET", QUOTA, actor=ADMIN).json()["objects"]["limit"] == 1


def test_an_object_too_many_is_refused_and_changes_nothing(css: NodeUnderTest) -> None:
    limit(css, objects=1)
    assert css.put(M1, b"one", destinationType="edge").status == 204

    with nothing_changes(css):
        assert is_refused(css.put(M2, b"two", destinationType="edge"))
    assert css.put(M1, b"again", destinationType="edge").status == 204
    assert used(css) == (1, 5)

    assert css.call("DELETE", M1).status == 204
    assert css.put(M2, b"two", destinationType="edge").status == 204


def test_data_beyond_the_quota_is_refused_however_it_comes(css: NodeUnderTest) -> None:
    limit(css, payloadBytes=10)
    css.put(M1, b"12345", destinationType="edge")
    css.put(M2, destinationType="edge")

    with nothing_changes(css):
        assert is_refused(css.put(M2, b"123456", destinationType="edge"))
        assert is_refused(css.call("PUT", f"{M2}/data", b"123456"))
        assert is_refused(css.call("PUT", f"{M2}/data", b"123", headers={"content-range": "bytes 0-2/6"}))
    assert css.call("PUT", f"{M2}/data", b"12345").status == 204
    assert used(css) == (2, 10)


def test_less_is_welcome_where_there_is_too_much_already(css: NodeUnderTest) -> None:
    css.put(M1, b"1234567890", destinationType="edge")
    limit(css, payloadBytes=5)

    assert is_refused(css.call("PUT", f"{M1}/data", b"12345678901"))
    assert css.call("PUT", f"{M1}/data", b"12345678").status == 204
    assert used(css) == (1, 8)


def test_a_body_that_cannot_fit_is_refused_before_it_is_sent(css: NodeUnderTest) -> None:
    css.put(M1, destinationType="edge")
    limit(css, payloadBytes=10)

    reply = css.call("PUT", f"{M1}/data", b"", headers={"content-length": str(GIB)})

    assert is_refused(reply)


def test_what_a_dry_run_would_exceed_is_refused(css: NodeUnderTest) -> None:
    limit(css, payloadBytes=2)
    body = {
        "meta": {"objectID": "m1", "objectType": "t", "destinationType": "edge"},
        "data": base64.b64encode(b"123").decode(),
    }

    assert is_refused(css.call("PUT", f"{M1}?dry_run=true", body))


def test_nodes_are_asked_to_try_again_when_there_is_no_room(css: NodeUnderTest) -> None:
    register(css)
    limit(css, payloadBytes=3)

    with nothing_changes(css):
        assert is_refused(as_node(css, "PUT", message_path("update"), announcement(size=5)))
    limit(css, payloadBytes=10)
    send_up(css)
    assert used(css) == (1, 10)


def test_other_organizations_are_not_concerned(css: NodeUnderTest) -> None:
    limit(css, objects=1)
    css.put(M1, destinationType="edge")

    body = {"meta": {"objectID": "m1", "objectType": "t", "destinationType": "edge"}}
    assert css.call("PUT", "/api/v1/objects/x/t/m1", body, actor=FOREIGN).status == 204


def test_an_edge_has_no_quotas(ess: EdgeUnderTest) -> None:
    assert ess.call("GET", "/api/v1/quotas/o", actor=ROOT).status in (400, 404)
