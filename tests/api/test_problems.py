"""Errors as problem documents: for those who ask, and with nothing changed for those who do not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from common.rest import problems
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_node import register

pytestmark = pytest.mark.parametrize("new_parts", ["memory"], indirect=True)

M1 = "/api/v1/objects/o/t/m1"
PROBLEM = "application/problem+json"
ERRORS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"

REFUSALS = [
    ("GET", f"{M1}x", {}, 404, "not-found"),
    ("GET", "/api/v1/objects/x/t/m1", {}, 403, "forbidden"),
    ("GET", "/api/v1/objects/o/a%20b", {}, 400, "invalid-request"),
    ("GET", "/api/v1/objects/o/t?received=x", {}, 400, "invalid-request"),
    ("POST", M1, {}, 405, "method-not-allowed"),
    ("GET", "/api/v1/nonsense", {}, 404, "not-found"),
    ("GET", M1, {"if-match": '"x"'}, 412, "precondition-failed"),
    ("GET", f"{M1}/data", {"range": "bytes=5-6"}, 404, "range-not-satisfiable"),
    ("PUT", M1, {}, 400, "invalid-request"),
]


@pytest.mark.parametrize(("method", "target", "headers", "status", "kind"), REFUSALS)
def test_who_asks_for_problems_gets_them(
    css: NodeUnderTest, method: str, target: str, headers: dict[str, str], status: int, kind: str
) -> None:
    css.put(M1, b"x")

    reply = css.call(method, target, b"y", headers={"accept": f"text/plain;q=0.1, {PROBLEM}", **headers})
    assert (reply.status, reply.headers["content-type"]) == (status, PROBLEM)
    shown = reply.json()
    assert shown.keys() == {"type", "title", "status", "detail", "instance"}
    assert (shown["type"], shown["status"]) == (f"/docs/errors#{kind}", status)
    assert all(shown.values())
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", shown["instance"])


@pytest.mark.parametrize(("method", "target", "headers", "status", "kind"), REFUSALS)
@pytest.mark.parametrize("accept", [None, "*/*", "text/plain", f"{PROBLEM};q=0", "application/*"])
def test_nobody_else_does(
    css: NodeUnderTest, method: str, target: str, headers: dict[str, str], status: int, kind: str, accept: str | None
) -> None:
    css.put(M1, b"x")

    reply = css.call(method, target, b"y", headers={**headers, **({"accept": accept} if accept else {})})
    assert reply.status == status
    assert reply.headers.get("content-type", "text/plain; charset=utf-8") == "text/plain; charset=utf-8"


def test_json_callers_get_problems_where_the_body_is_no_contract(css: NodeUnderTest) -> None:
    accept = {"accept": "application/json"}
    assert css.call("POST", M1, headers=accept).headers["content-type"] == PROBLEM
    assert css.call("PUT", M1, b"x", headers=accept).json()["detail"].startswith("The body is not valid JSON")
    assert css.call("GET", M1, headers=accept).body == b""
    assert css.call("GET", M1, headers=accept, actor=None).body == b"Unauthorized"


def test_strangers_and_callers_without_rights_are_told_apart(css: NodeUnderTest) -> None:
    reply = css.call("GET", M1, headers={"accept": PROBLEM}, actor=None)
    assert (reply.status, reply.json()["type"]) == (403, "/docs/errors#not-authenticated")


def test_headers_of_the_refusal_stay(css: NodeUnderTest, ess: EdgeUnderTest) -> None:
    css.put(M1, b"x")
    tag = css.call("GET", f"{M1}/data").headers["etag"]
    headers = {"accept": PROBLEM, "range": "bytes=5-", "if-range": tag}
    reply = css.call("GET", f"{M1}/data", headers=headers)
    assert (reply.status, reply.headers["content-range"]) == (416, "bytes */1")
    ess.draining.begin()
    reply = ess.call("GET", "/api/v1/objects/t/m1", headers={"accept": PROBLEM})
    assert (reply.status, reply.headers["retry-after"], reply.json()["title"]) == (503, "2", "Not possible right now")


def test_the_node_interface_reports_them_too(css: NodeUnderTest) -> None:
    register(css)
    headers = {"accept": PROBLEM, "x-sync-service-dest": "o/edge/n2"}
    reply = css.call("GET", "/spi/v1/objects/", actor="o/edge/n2", headers=headers)
    assert (reply.status, reply.json()["type"]) == (424, "/docs/errors#unknown-node")


def test_every_kind_is_described(css: NodeUnderTest) -> None:
    headings = re.findall(r"^## (\S+)$", ERRORS_PAGE.read_text(), re.MULTILINE)
    assert headings == [kind.name for kind in problems.kinds()]
