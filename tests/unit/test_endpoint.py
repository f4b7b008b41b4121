"""From a handler to its answer."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from common.domain.errors import TooLarge
from common.rest.endpoint import Endpoint


@pytest.fixture
def no_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Body(bytearray):
    """One that can be watched."""


@pytest.mark.usefixtures("no_garbage_collector")
def test_what_a_refused_request_brought_is_let_go_of_at_once() -> None:
    bodies: list[weakref.ref[Body]] = []

    async def refuse(_: Request) -> Response:
        body = Body(1000)
        bodies.append(weakref.ref(body))
        raise TooLarge

    async def main() -> None:
        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(_: Message) -> None:
            pass

        scope = {"type": "http", "method": "PUT", "path": "/", "query_string": b"", "headers": []}
        await Endpoint(refuse)(scope, receive, send)

    asyncio.run(main())

    assert [body() for body in bodies] == [None]
