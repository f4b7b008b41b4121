"""Requests to an ASGI application without a server in between: the target as it stands on the wire, the body in any
pieces, the client gone at any moment.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message


@dataclass(frozen=True, slots=True)
class Reply:
    """`headers` are by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Call:
    """One request. `pieces` are sent as they are; a body without `declares` goes in chunked coding."""

    method: str
    target: str
    pieces: Sequence[bytes] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Content-Length; None for a chunked body.
    declares: int | None = 0
    #: The client is gone after the last piece.
    is_cut: bool = False
    #: The client takes the head of the reply and then nothing more until it hangs up.
    reads_slowly: bool = False
    is_answered: bool = False
    #: Address and port.
    client: tuple[str, int] = ("127.0.0.1", 40000)
    #: How many pieces the application has asked for so far.
    pieces_taken: int = 0
    #: Set when the client hangs up, or has its reply.
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, app: ASGIApp) -> Reply | None:
        """None when the application sent nothing. What it raises is raised."""
        sent: list[Message] = []

        async def receive() -> Message:
            if self.pieces_taken < len(self.pieces):
                piece = self.pieces[self.pieces_taken]
                self.pieces_taken += 1
                more = self.is_cut or self.pieces_taken < len(self.pieces)
                return {"type": "http.request", "body": piece, "more_body": more}
            if not self.pieces and not self.is_cut and self.pieces_taken == 0:
                self.pieces_taken = 1
                return {"type": "http.request", "body": b"", "more_body": False}
            if not self.is_cut:
                await self.ended.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            self.is_answered = True
            if self.reads_slowly and message["type"] == "http.response.body":
                await self.ended.wait()
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self.ended.set()

        await app(self._scope(), receive, send)
        return _reply(sent)

    def _scope(self) -> dict[str, Any]:
        path, _, query = self.target.partition("?")
        headers = {"host": "node.test", **{name.lower(): value for name, value in self.headers.items()}}
        if self.declares is None:
            headers.setdefault("transfer-encoding", "chunked")
        elif self.declares or self.method in ("PUT", "POST"):
            headers.setdefault("content-length", str(self.declares))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
            "client": self.client,
            "server": ("127.0.0.1", 8080),
            "state": {},
        }


def basic(app_key: str, secret: str = "unused") -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{app_key}:{secret}".encode()).decode()


def _reply(sent: Sequence[Message]) -> Reply | None:
    if not sent:
        return None
    start, *rest = sent
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Reply(start["status"], headers, b"".join(message.get("body", b"") for message in rest))
