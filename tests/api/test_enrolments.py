"""Enrolment tokens and certificates as administrators see them, and who may be one."""

from __future__ import annotations

from typing import Any

import pytest

from common.domain.ids import NodeKey
from common.sync.enrolment import NodeCertificate
from tests.support.manual_clock import NOW_MS
from tests.support.node_under_test import NodeUnderTest
from tests.support.requests_asgi import Reply
from tests.support.requests_node import nothing_changes

TOKENS, CERTIFICATES = "/api/v1/enrolments/o", "/api/v1/certificates/o"
#: Of the same organization without being its administrators, of another one, nodes, strangers.
OTHERS = ["o/olga", "plain@o", "node7%o", "bob@x", "o/edge/n1", "nobody", None]


def create(css: NodeUnderTest, node_id: str = "n1", actor: str | None = "ann@o", **members: Any) -> Reply:
    return css.call("POST", TOKENS, {"nodeType": "edge", "nodeID": node_id, **members}, actor=actor)


def certificate(node_id: str, org: str = "o", **members: Any) -> NodeCertificate:
    given = {"issued_at_ms": NOW_MS, "expires_at_ms": NOW_MS + 1000, **members}
    return NodeCertificate(f"fingerprint-{org}-{node_id}", NodeKey(org, "edge", node_id), "key", "PEM", **given)


def hold(css: NodeUnderTest, *certificates: NodeCertificate) -> None:
    css.database.write(lambda uow: uow.enrolment.save_certificates(certificates))


def test_a_token_is_shown_once_and_listed_without_its_text(css: NodeUnderTest) -> None:
    made = create(css, expiresInSeconds=60).json()

    listed = css.call("GET", TOKENS)
    assert listed.json() == [{name: value for name, value in made.items() if name != "token"}]
    assert made["token"].startswith("enrol1.")
    assert made["token"].rpartition(".")[2] not in listed.body.decode()
    assert made["createdBy"] == "o/ann"


def test_a_token_can_be_taken_back(css: NodeUnderTest) -> None:
    token_id = create(css).json()["id"]

    assert css.call("DELETE", f"{TOKENS}/{token_id}").status == 204
    assert css.call("DELETE", f"{TOKENS}/{token_id}").status == 404
    assert css.call("GET", TOKENS).json() == []


@pytest.mark.parametrize("actor", OTHERS)
def test_nobody_else_makes_sees_or_ends_anything(css: NodeUnderTest, actor: str | None) -> None:
    token_id = create(css).json()["id"]
    hold(css, certificate("n1"))

    with nothing_changes(css):
        for method, target in [
            ("GET", TOKENS),
            ("DELETE", f"{TOKENS}/{token_id}"),
            ("GET", CERTIFICATES),
            ("DELETE", f"{CERTIFICATES}/edge/n1"),
        ]:
            assert css.call(method, target, actor=actor).status == 403
        assert create(css, actor=actor).status == 403


def test_a_token_of_another_organization_is_not_there(css: NodeUnderTest) -> None:
    token_id = create(css).json()["id"]

    assert css.call("DELETE", f"/api/v1/enrolments/x/{token_id}", actor="bob@x").status == 404
    assert css.call("GET", "/api/v1/enrolments/x", actor="bob@x").json() == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", {"nodeType": "edge"}, {"nodeType": "edge", "nodeID": "a/b"}, {"nodeType": "Cloud", "nodeID": "Cloud"},
     {"nodeType": "edge", "nodeID": ".."}, {"nodeType": "edge", "nodeID": "n1", "expiresInSeconds": 0},
     {"nodeType": "edge", "nodeID": "n1", "expiresInSeconds": 10**12}, {"nodeType": "edge", "nodeID": "n1", "x": 1}, b"[" * 10_000],
)  # fmt: skip
def test_a_malformed_wish_is_refused(css: NodeUnderTest, body: Any) -> None:
    with nothing_changes(css):
        assert css.call("POST", TOKENS, body).status == 400


def test_certificates_are_listed_with_what_they_are_good_for(css: NodeUnderTest) -> None:
    day = 24 * 3600 * 1000
    hold(
        css,
        certificate("n1"),
        certificate("n2", issued_at_ms=NOW_MS - 1000),
        certificate("n3", issued_at_ms=NOW_MS - 1000, expires_at_ms=NOW_MS),
        certificate("n4", issued_at_ms=NOW_MS - 200 * day, expires_at_ms=NOW_MS - 91 * day),
        certificate("n5", revoked_at_ms=NOW_MS),
        certificate("n1", org="x"),
    )

    listed = css.call("GET", CERTIFICATES).json()

    assert [(each["nodeID"], each["state"]) for each in listed] == [
        ("n1", "good"), ("n2", "toBeRenewed"), ("n3", "expired"), ("n4", "ended"), ("n5", "revoked")
    ]  # fmt: skip
    page = css.call("GET", f"{CERTIFICATES}?limit=2")
    assert len(page.json()) == 2
    beyond = css.call("GET", page.headers["link"].partition(">")[0].removeprefix("<"))
    assert [each["nodeID"] for each in beyond.json()] == ["n3", "n4"]


def test_revoking_ends_certificates_and_tokens_of_that_node(css: NodeUnderTest) -> None:
    create(css, "n1")
    create(css, "n2")
    hold(css, certificate("n1"), certificate("n2"), certificate("n1", org="x"))

    assert css.call("DELETE", f"{CERTIFICATES}/edge/n1").status == 204

    assert [each["nodeID"] for each in css.call("GET", TOKENS).json()] == ["n2"]
    states = {each["nodeID"]: each["state"] for each in css.call("GET", CERTIFICATES).json()}
    assert states == {"n1": "revoked", "n2": "good"}
    assert css.call("GET", "/api/v1/certificates/x", actor="bob@x").json()[0]["state"] == "good"


def test_without_client_certificates_nodes_cannot_enrol(css: NodeUnderTest) -> None:
    token = create(css).json()["token"]

    assert css.call("PUT", "/spi/v1/enrol", {"token": token, "request": "x"}).status == 404
