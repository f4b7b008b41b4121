"""Conditional changes that meet: of those that start from one version, one is made, on any number of replicas."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing

import pytest

from tests.support.node_under_test import NodeUnderTest, Parts, a_css, request
from tests.support.requests_asgi import Reply

pytestmark = pytest.mark.parametrize(
    "new_parts", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)

M1 = "/api/v1/objects/o/t/m1"
DATA = f"{M1}/data"
BODY: dict[str, object] = {"meta": {"objectID": "m1", "objectType": "t"}, "data": "eA=="}
ROUNDS = 5
WRITERS = 6


@pytest.fixture
def replicas(request: pytest.FixtureRequest, new_parts: Callable[[str], Parts]) -> Iterator[list[NodeUnderTest]]:
    """Two processes on one PostgreSQL; SQLite has one."""
    names = ["a", "b"] if "postgres" in request.node.name else ["a"]
    with ExitStack() as nodes:
        yield [nodes.enter_context(closing(a_css(new_parts(name)))) for name in names]


def race(replicas: list[NodeUnderTest], method: str, target: str, headers: dict[str, str]) -> list[int]:
    """The statuses of requests sent at once."""
    body: bytes | dict[str, object] = BODY if target == M1 else b"data"
    sent = [
        replicas[number % len(replicas)].send(request(method, target, body, headers=headers))
        for number in range(WRITERS)
    ]
    return sorted(reply.status for reply in map(_reply, sent))


def _reply(sent: Future[Reply | None]) -> Reply:
    reply = sent.result(30)
    assert reply is not None
    return reply


def etag(node: NodeUnderTest, target: str) -> str:
    return node.call("GET", target).headers["etag"]


def test_one_creates_one_updates_one_replaces_the_data_and_one_deletes(replicas: list[NodeUnderTest]) -> None:
    lost = [412] * (WRITERS - 1)
    node = replicas[0]
    for _ in range(ROUNDS):
        assert race(replicas, "PUT", M1, {"if-none-match": "*"}) == [204, *lost]
        assert race(replicas, "PUT", M1, {"if-match": etag(node, M1)}) == [204, *lost]
        node.call("PUT", DATA, b"before")
        assert race(replicas, "PUT", DATA, {"if-match": etag(node, DATA)}) == [204, *lost]
        assert race(replicas, "DELETE", M1, {"if-match": etag(node, M1)}) == [204, *[404] * (WRITERS - 1)]


def test_a_creation_never_replaces_what_an_unconditional_one_made(replicas: list[NodeUnderTest]) -> None:
    for _ in range(ROUNDS):
        plain = replicas[-1].send(request("PUT", M1, {**BODY, "data": "cGxhaW4="}))
        created = race(replicas, "PUT", M1, {"if-none-match": "*"}).count(204)
        assert _reply(plain).status == 204
        assert created <= 1
        assert replicas[0].call("GET", DATA).body == b"plain"
        replicas[0].call("DELETE", M1)
