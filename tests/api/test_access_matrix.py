"""Every class of callers at every operation, as access_matrix.txt says, over HTTP: in its own organization and in another."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from starlette.routing import Route, Router

from common.domain.access import MANIFEST_TYPE
from common.domain.metadata import Policy, ServiceId
from common.runtime.authentication.dummy import DummyAuthenticator
from tests.support.access_matrix import ELSEWHERE, HOME, LISTS, Row, key_of, rows
from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest, Parts, a_css, an_ess, request, wait_until
from tests.support.requests_asgi import Reply
from tests.support.requests_node import (
    INSTANCE,
    announce,
    announcement,
    as_node,
    nothing_changes,
    poll,
    register,
    send_up,
)

ROWS = list(rows())
ANSWERS_FOR_EVER = ("events", "text/event-stream")

#: What an object of the cloud is put with, by its word in the table.
PUT_WITH: dict[str, dict[str, object]] = {
    "private": {"destinationType": "edge"},
    "public": {"destinationType": "edge", "public": True},
    "inactive": {"destinationType": "edge", "inactive": True},
    "manifest": {"destinationType": "edge"},
    "policy": {"destinationPolicy": {"properties": [], "constraints": []}},
    "down": {"destinationType": "edge", "destinationID": "n1"},
}


@dataclasses.dataclass
class World:
    """The node asked, and objects for one call after the other."""

    node: NodeUnderTest
    numbers: Iterator[int] = dataclasses.field(default_factory=itertools.count)

    def fill_in(self, row: Row) -> tuple[str, str]:
        """Path and body with an object made for them."""
        words = dict.fromkeys(re.findall(r"\{([a-z]+)\}", row.path))
        filled = {"instance": "", "upinstance": str(INSTANCE)}
        for word in words:
            if word not in filled:
                filled[word] = f"{word}-{next(self.numbers)}"
                self._make(word, filled[word])
        name = filled.get(next(iter(words), ""), "")
        if "instance" in words:
            filled["instance"] = str(self.node.call("GET", f"/api/v1/objects/o/t/{name}").json()["instanceID"])
        body = row.body.replace("{id}", name).replace("{fresh}", f"fresh-{next(self.numbers)}")
        if body in ("{announcement}", "{deletion}"):
            body = json.dumps(announcement(name, size=10, deleted=body == "{deletion}"))
        return row.target.format(**filled), body

    def _make(self, word: str, name: str) -> None:
        raise NotImplementedError


class Cloud(World):
    def prepare(self) -> None:
        css = self.node
        register(css)
        for org in (HOME, ELSEWHERE):
            admin = key_of("admin", org)
            assert css.call("PUT", f"/api/v1/organizations/{org}", {"orgID": org}, actor=admin).status == 204
        for path, users in {
            "objects/o/t": [
                ("reader", "user", "aclReader"),
                ("writer", "user", "aclWriter"),
                ("node8", "node", "aclWriter"),
            ],
            "destinations/o": [("writer", "user", "na"), ("node8", "node", "na")],
        }.items():
            entries = [dict(zip(("Username", "ACLUserType", "ACLRole"), user, strict=True)) for user in users]
            self._set(f"security/{path}", {"action": "add", "users": entries})
        self._set("groups/o/lab", {"members": ["edge:n1"]})
        policy: dict[str, object] = {"properties": [], "constraints": []}
        for is_public in (False, True):
            word = "public" if is_public else "private"
            send_up(css, f"{word}-up", public=is_public)
            assert (
                css.put(f"/api/v1/objects/o/t/{word}-placed", b"x", public=is_public, destinationPolicy=policy).status
                == 204
            )
        assert css.put("/api/v1/objects/o/private-type/m1", b"x").status == 204

    def before_each(self, row: Row) -> None:
        if row.path.startswith("/spi/"):
            register(self.node)
        if row.path in ("destinations/o/edge/n1/objects", "/spi/v1/objects/"):
            self.node.put(f"/api/v1/objects/o/t/down-{next(self.numbers)}", b"x", **PUT_WITH["down"])
        if row.path == "security/destinations/o/u" or row.path.startswith(
            ("security/objects/o?", "security/destinations/o?")
        ):
            entry = {"Username": "bea", "ACLUserType": "user", "ACLRole": "aclWriter"}
            for family in ("objects", "destinations"):
                self._set(f"security/{family}/o/v", {"action": "add", "users": [entry]})

    def _set(self, path: str, body: dict[str, object]) -> None:
        assert self.node.call("PUT", f"/api/v1/{path}", body).status == 204

    def _make(self, word: str, name: str) -> None:
        object_type = MANIFEST_TYPE if word == "manifest" else "t"
        if word in PUT_WITH:
            assert self.node.put(f"/api/v1/objects/o/{object_type}/{name}", b"x", **PUT_WITH[word]).status == 204
        match word:
            case "down":
                assert any(item["MetaData"]["objectID"] == name for item in poll(self.node))
            case "up" | "uppublic" | "gone":
                send_up(self.node, name, public=word == "uppublic")
                if word == "gone":
                    gone = announcement(name, deleted=True)
                    path = f"objects/o/t/{name}/{INSTANCE}/{INSTANCE}/delete"
                    assert as_node(self.node, "PUT", path, gone).status == 204
            case "announced":
                announce(self.node, name)
            case "group":
                self._set(f"groups/o/{name}", {"members": []})


class Edge(World):
    def _make(self, word: str, name: str) -> None:
        edge = self.node
        assert isinstance(edge, EdgeUnderTest)
        others = Policy(services=[ServiceId("svc", "any", "radar", "[1.0.0,2.0.0)")])
        match word:
            case "copy":
                edge.receive(name)
            case "restricted" | "restrictedpublic":
                edge.receive(name, destination_policy=others, public=word == "restrictedpublic")
            case "lost":
                edge.receive(name)
                edge.lose(name, instance_id=2)
            case "own" | "inactive":
                assert edge.put(f"/api/v1/objects/t/{name}", b"x", inactive=word == "inactive").status == 204

    def prepare(self) -> None:
        self._make("copy", "private-copy")

    def before_each(self, row: Row) -> None:
        pass


@pytest.fixture
def world(request: pytest.FixtureRequest, new_parts: Callable[[str], Parts]) -> Iterator[Cloud | Edge]:
    row: Row = request.getfixturevalue("row")
    parts = dataclasses.replace(new_parts("node"), authenticator=lambda _: DummyAuthenticator(LISTS))
    with ExitStack() as resources:
        node = resources.enter_context(closing(a_css(parts) if row.is_cloud else an_ess(parts)))
        world = Cloud(node) if row.is_cloud else Edge(node)
        world.prepare()
        yield world


def ask(node: NodeUnderTest, row: Row, target: str, body: str, actor: str | None) -> Reply:
    headers = {"x-sync-service-dest": "o/edge/n1"} if target.startswith("/spi/") else {}
    if row.accept:
        headers["accept"] = row.accept
    call = request(row.method, target, body, actor=actor, headers=headers)
    sent = node.send(call)
    if any(word in f"{target} {row.accept}" for word in ANSWERS_FOR_EVER):
        wait_until(lambda: call.is_answered)
        node.hang_up(call)
    reply = sent.result(30)
    assert reply is not None
    return reply


def mark_of(row: Row, reply: Reply) -> str:
    """The mark this reply deserves; the reply itself where there is none for it."""
    if reply.status == 403:
        assert reply.body == (b"" if row.method == "HEAD" else b"Unauthorized")
        assert "www-authenticate" not in reply.headers
        return "-"
    if reply.status == 401:
        assert (reply.body, reply.headers["www-authenticate"][:5]) == (b"Unauthorized", "Basic")
        return "!"
    if "p" in "".join(row.cells.values()):
        # To those who are shown nothing of it, the list of updates does not exist.
        assert reply.status in (200, 404)
        return "+" if b"private" in reply.body else "p"
    return "+" if reply.status == row.status else f"{reply.status} {reply.body[:200]!r}"


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize(
    "new_parts", ["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
def test_who_may_do_what(world: Cloud | Edge, row: Row) -> None:
    found = {caller: ["", ""] for caller in row.cells}

    def fill(calls: list[tuple[str, int]], target: str, body: str) -> None:
        for caller, place in calls:
            actor = key_of(caller, (HOME, ELSEWHERE)[place])
            found[caller][place] = mark_of(row, ask(world.node, row, target, body, actor))

    calls = [(caller, place) for caller in row.cells for place in (0, 1)]
    refused = [(caller, place) for caller, place in calls if row.cells[caller][place] in "-!"]
    world.before_each(row)
    filled = world.fill_in(row)
    with nothing_changes(world.node):
        fill(refused, *filled)
    for call in calls:
        if call not in refused:
            world.before_each(row)
            fill([call], *world.fill_in(row))
    marks = {caller: "".join(both) for caller, both in found.items()}
    assert {caller: both for caller, both in marks.items() if both != row.cells[caller]} == {}


def router_of(app: Any) -> Router:
    """Below whatever is around it."""
    while not isinstance(app, Router):
        app = app._app
    return app


@pytest.mark.parametrize("new_parts", ["memory"], indirect=True)
def test_the_table_has_every_route(new_parts: Callable[[str], Parts]) -> None:
    for make, is_cloud in ((a_css, True), (an_ess, False)):
        asked = [re.sub(r"[{}]", "", row.target.partition("?")[0]) for row in ROWS if row.is_cloud is is_cloud]
        with closing(make(new_parts(make.__name__))) as node:
            for route in router_of(node.doorway).routes:
                assert isinstance(route, Route)
                assert route.path.startswith("/docs/") or any(map(route.path_regex.fullmatch, asked)), route.path
