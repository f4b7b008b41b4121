"""What becomes of an answer that cannot be sent to its end."""

from __future__ import annotations

import asyncio
import logging

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message

from common.rest.endpoint import Endpoint
from common.runtime.http_protocol import CONNECTION


class Connection:
    """One that fails to be written to, because the client has closed it or for another reason."""

    def __init__(self, *, is_closing: bool) -> None:
        self.is_closing = is_closing
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True

    async def send(self, message: Message) -> None:
        raise RuntimeError("unable to perform operation; the handler is closed")

    async def receive(self) -> Message:
        return {"type": "http.disconnect"}

    def serve(self, method: str) -> None:
        extension = {"abort": self.abort, "is_closing": lambda: self.is_closing}
        scope = {"type": "http", "method": method, "path": "/", "headers": [], "extensions": {CONNECTION: extension}}
        asyncio.run(Endpoint(answer)(scope, self.receive, self.send))


async def answer(request: Request) -> Response:
    return PlainTextResponse("here")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_client_that_has_left_is_no_defect(method: str, caplog: pytest.LogCaptureFixture) -> None:
    Connection(is_closing=True).serve(method)

    assert [record.levelno for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_any_other_failure_is_logged_and_ends_the_connection(method: str, caplog: pytest.LogCaptureFixture) -> None:
    connection = Connection(is_closing=False)

    connection.serve(method)

    assert [record.message for record in caplog.records] == ["request_failed"]
    assert connection.is_aborted
