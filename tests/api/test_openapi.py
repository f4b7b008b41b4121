"""The described interface and the served one are the same, on the cloud and on an edge."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.routing import Route, Router

from common.rest.auditing import RefusalLog
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest, Parts
from tests.support.requests_asgi import Reply
from tests.support.requests_node import register

pytestmark = pytest.mark.parametrize("new_parts", ["memory"], indirect=True)

METHODS = ("get", "put", "post", "delete", "patch")
#: May do everything everywhere.
ROOT = "root@o"
Operation = dict[str, Any]

#: The operations of the reference (rest-api 3) below /api/v1; the first five are two addresses.
OF_THE_REFERENCE = {
    "get /objects/{org}", "get /objects/{org}/{type}", "put /objects/{org}/{type}",
    "get /objects/{org}/{type}/{id}", "put /objects/{org}/{type}/{id}", "delete /objects/{org}/{type}/{id}",
    "get /objects/{org}/{type}/{id}/data", "put /objects/{org}/{type}/{id}/data", "get /objects/{org}/{type}/{id}/status",
    "get /objects/{org}/{type}/{id}/destinations", "put /objects/{org}/{type}/{id}/destinations",
    "post /objects/{org}/{type}/{id}/destinations", "put /objects/{org}/{type}/{id}/received",
    "put /objects/{org}/{type}/{id}/consumed", "put /objects/{org}/{type}/{id}/deleted",
    "put /objects/{org}/{type}/{id}/activate", "put /objects/{org}/{type}/{id}/policyreceived",
    "get /destinations/{org}", "get /destinations/{org}/{nodeType}/{nodeId}/objects",
    "get /organizations", "put /organizations/{org}", "delete /organizations/{org}",
    "get /security/{kind}/{org}", "put /security/{kind}/{org}", "put /security/{kind}/{org}/{key}",
    "delete /security/{kind}/{org}/{key}/{userType}/{username}",
    "post /resend", "get /health", "post /shutdown",
}  # fmt: skip


@pytest.fixture(params=["css", "ess"])
def node(request: pytest.FixtureRequest, new_parts: Callable[[str], Parts]) -> NodeUnderTest:
    """Each service, with an object and, in the cloud, a node."""
    node: NodeUnderTest = request.getfixturevalue(request.param)
    if request.param == "css":
        register(node)
        node.put("/api/v1/objects/myorg/model/m1", b"x", destinationType="edge")
    else:
        node.put("/api/v1/objects/model/m1", b"x")
    return node


def described(node: NodeUnderTest) -> Iterator[tuple[str, str, Operation]]:
    for path, methods in document(node)["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def document(node: NodeUnderTest) -> Any:
    reply = node.call("GET", "/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    return reply.json()


def call(node: NodeUnderTest, method: str, path: str, operation: Operation) -> Reply:
    """With the examples of the document."""
    examples = {p["name"]: str(p.get("example", "")) for p in operation.get("parameters", [])}
    target = re.sub(r"\{(\w+)}", lambda name: examples[name[1]].replace("*", "%2A"), path)
    contents = operation.get("requestBody", {}).get("content", {})
    example = contents.get("application/json", {}).get("example")
    body = b"x" if example is None else json.dumps(example)
    return node.call(method.upper(), target, body if contents else b"", actor=ROOT)


def test_every_described_operation_is_answered_as_described(node: NodeUnderTest) -> None:
    for method, path, operation in described(node):
        if operation["operationId"] == "shutDown":
            continue
        reply = call(node, method, path, operation)
        assert str(reply.status) in operation["responses"], f"{method} {path}: {reply.status}"
        assert reply.status != 405
        assert b"nothing at this address" not in reply.body, path


def test_no_method_is_served_that_is_not_described(node: NodeUnderTest) -> None:
    paths: dict[str, Any] = document(node)["paths"]
    for path, methods in paths.items():
        if path == "/api/v1/health" or not path.startswith(("/api/", "/docs", "/openapi")):
            continue
        some = next(iter(methods.values()))
        for method in METHODS:
            if method not in methods:
                reply = call(node, method, path, {"parameters": some.get("parameters", [])})
                # Of access lists the segments are looked at first, and a surplus one of a GET is ignored (rest-api 3.19).
                allowed = (400, 404, 405) if "/security/" in path else (405,)
                assert reply.status in allowed, f"{method} {path}: {reply.status}"


def test_every_route_is_described(node: NodeUnderTest) -> None:
    refusals = node.doorway._app
    assert isinstance(refusals, RefusalLog)
    router = refusals._app
    assert isinstance(router, Router)
    paths = list(document(node)["paths"])
    for route in router.routes:
        assert isinstance(route, Route)
        prefix = route.path.split("{")[0].rstrip("/")
        if not prefix.startswith("/spi/") and prefix not in ALIASES:
            assert any(path == prefix or path.startswith(f"{prefix}/") for path in paths), route.path


#: Only refusals.
ALIASES = {"/api/v1/destinations", "/api/v1/security", "/api/v1/organizations"}


def test_every_operation_of_the_reference_is_described(css: NodeUnderTest) -> None:
    served = {f"{method} {path.removeprefix('/api/v1')}" for method, path, _ in described(css)}

    assert served >= OF_THE_REFERENCE


def test_the_document_holds_together(node: NodeUnderTest) -> None:
    shown = document(node)
    ids = [operation["operationId"] for _, _, operation in described(node)]
    tags = {tag["name"] for tag in shown["tags"]}

    assert len(set(ids)) == len(ids)
    for method, path, operation in described(node):
        named = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)}", path)), f"{method} {path}"
        assert set(operation["tags"]) <= tags
        assert operation["summary"]
    for reference in re.findall(r'"\$ref": "#/components/schemas/([^"]+)"', json.dumps(shown)):
        assert reference in shown["components"]["schemas"]
    for link in re.findall(r'"operationId": "(\w+)"', json.dumps(shown)):
        assert link in ids


@pytest.mark.parametrize("target", ["/openapi.json", "/docs", "/docs/errors"])
def test_browsers_are_asked_for_credentials(css: NodeUnderTest, ess: EdgeUnderTest, target: str) -> None:
    for node in (css, ess):
        stranger = node.call("GET", target, actor=None)
        assert (stranger.status, stranger.headers["www-authenticate"][:11]) == (401, "Basic realm")
        assert node.call("GET", target, actor="o/edge/n1").status == 403
        assert node.call("GET", target).status == 200
        assert node.call("POST", target).status == 405


def test_the_page_runs_nothing_but_its_own_script(css: NodeUnderTest) -> None:
    reply = css.call("GET", "/docs")
    page = reply.body.decode()
    policy = reply.headers["content-security-policy"]

    assert reply.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for element in ("script", "style"):
        (text,) = re.findall(rf"<{element}[^>]*>(.*?)</{element}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert re.findall(r"https?://|src=|innerHTML|\son\w+=\"", page) == []


def test_the_kinds_of_errors_are_explained(css: NodeUnderTest) -> None:
    kinds = document(css)["x-problems"]

    assert [kind["name"] for kind in kinds] == sorted(kind["name"] for kind in kinds)
    assert all(kind["meaning"] for kind in kinds)
