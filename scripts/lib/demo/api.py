"""The applications' interface of a node, as any client sees it: HTTP, JSON and Basic authentication."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import httpx

from scripts.lib.demo.failure import DemoFailed
from scripts.lib.demo.service import Credentials

_TIMEOUT_SECONDS = 30.0
_PIECE_BYTES = 1 << 20


class ObjectName(NamedTuple):
    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type}/{self.id}"


class Api:
    """One client with one kept connection; for one thread. Every method raises DemoFailed when a call is not answered as wanted."""

    def __init__(
        self, base_url: str, credentials: Credentials, *, organization: str = "", ca: Path | None = None
    ) -> None:
        """`organization` is part of the path on the cloud and not on an edge; `ca` is the one certificate to trust."""
        self._objects = f"/api/v1/objects/{organization}".rstrip("/")
        self._destinations = f"/api/v1/destinations/{organization}"
        self._client = httpx.Client(
            base_url=base_url,
            auth=(credentials.app_key, credentials.secret),
            verify=ssl.create_default_context(cafile=ca) if ca else True,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.close()

    def put_object(self, name: ObjectName, meta: dict[str, Any], data: bytes | None = None) -> None:
        """Create or update an object; without `data` it is delivered once its data was put by itself."""
        body: dict[str, Any] = {"meta": {"objectType": name.type, "objectID": name.id, **meta}}
        if data is not None:
            body["data"] = base64.b64encode(data).decode()
        self._call("PUT", self._path(name), json=body)

    def put_piece(self, name: ObjectName, piece: bytes, start: int, total: int) -> None:
        """One piece of an object's data, durable when answered. An empty object has no pieces: it is put whole."""
        headers = {"content-range": f"bytes {start}-{start + len(piece) - 1}/{total}"} if total else {}
        self._call("PUT", self._path(name, "data"), content=piece, headers=headers)

    def updated(self, object_type: str) -> list[dict[str, Any]]:
        """Metadata of the objects that are complete here and that no application has received yet."""
        answer = self._call("GET", f"{self._objects}/{object_type}", absent_is_fine=True)
        return self._list_in(answer)

    def find(self, name: ObjectName) -> dict[str, Any] | None:
        answer = self._call("GET", self._path(name), absent_is_fine=True)
        return None if answer.status_code == 404 else dict(answer.json())

    def status(self, name: ObjectName) -> str | None:
        answer = self._call("GET", self._path(name, "status"), absent_is_fine=True)
        return None if answer.status_code == 404 else answer.text

    @contextmanager
    def data(self, name: ObjectName) -> Iterator[Iterator[bytes]]:
        """The bytes of an object, as they come."""
        path = self._path(name, "data")
        try:
            with self._client.stream("GET", path) as answer:
                if answer.status_code != 200:
                    raise DemoFailed(f"GET {path} was answered with {answer.status_code}")
                yield answer.iter_raw(_PIECE_BYTES)
        except httpx.HTTPError as error:
            raise DemoFailed(f"GET {path} failed: {error}") from error

    def mark(self, name: ObjectName, word: str) -> None:
        """`word` is received, consumed or deleted."""
        self._call("PUT", self._path(name, word))

    def destinations(self, name: ObjectName) -> dict[str, str]:
        """Status by `type:id` of the node (cloud only)."""
        answer = self._call("GET", self._path(name, "destinations"), absent_is_fine=True)
        return {f"{d['destinationType']}:{d['destinationID']}": d["status"] for d in self._list_in(answer)}

    def nodes(self) -> set[str]:
        """The registered nodes as `type:id` (cloud only)."""
        answer = self._call("GET", self._destinations, absent_is_fine=True)
        return {f"{d['destinationType']}:{d['destinationID']}" for d in self._list_in(answer)}

    def _path(self, name: ObjectName, operation: str = "") -> str:
        return "/".join(filter(None, (self._objects, name.type, quote(name.id, safe=""), operation)))

    def _call(self, method: str, path: str, *, absent_is_fine: bool = False, **options: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise DemoFailed(f"{method} {path} failed: {error}") from error
        if answer.is_success or (absent_is_fine and answer.status_code == 404):
            return answer
        raise DemoFailed(f"{method} {path} was answered with {answer.status_code}: {answer.text.strip()}")

    @staticmethod
    def _list_in(answer: httpx.Response) -> list[dict[str, Any]]:
        """An empty list is a 404."""
        return [] if answer.status_code == 404 else list(answer.json())
