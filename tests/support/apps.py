"""Applications: what publishers and edge programs do through the REST interface, and waiting until something is so."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from tests.support.contents import Content

T = TypeVar("T")
WAIT_SECONDS = 30.0
PIECE_BYTES = 8 << 20
_POLL_SECONDS = 0.02


class Application:
    """A client of one service. `objects_url` ends where `/{type}/{id}` begins, so both services look alike.

    Raises httpx.HTTPStatusError for an answer that is not a success, httpx.TransportError when none came.
    """

    def __init__(self, objects_url: str, credentials: tuple[str, str], transport: httpx.BaseTransport) -> None:
        self.objects_url = objects_url
        self.http = httpx.Client(auth=credentials, transport=transport, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def put(self, object_type: str, object_id: str, data: bytes | None = None, **meta: Any) -> None:
        """Create or update an object; `meta` are members of its metadata by their wire names."""
        body: dict[str, Any] = {"meta": {"objectType": object_type, "objectID": object_id, **meta}}
        if data is not None:
            body["data"] = base64.b64encode(data).decode()
        self._send("PUT", object_type, object_id, json=body)

    def put_data(self, object_type: str, object_id: str, data: bytes | Iterable[bytes]) -> None:
        self._send("PUT", object_type, object_id, "data", content=data)

    def put_piece(self, object_type: str, object_id: str, content: Content, start: int, tag: str = "") -> int:
        """Send one piece of an upload; where the next one begins. `tag` goes into the query, for a meter on the way."""
        end = min(start + PIECE_BYTES, content.size_bytes)
        headers = {"content-range": f"bytes {start}-{end - 1}/{content.size_bytes}"}
        piece = content.read(start, end)
        self._send("PUT", object_type, object_id, "data", content=piece, headers=headers, params={"tag": tag})
        return end

    def put_data_in_pieces(
        self, object_type: str, object_id: str, content: Content, *, retry_seconds: float = 0.0, tag: str = ""
    ) -> None:
        """Upload, and repeat a piece that got no answer, or one that asks to come back, for up to `retry_seconds`."""
        position = 0
        deadline = time.monotonic() + retry_seconds
        while position < content.size_bytes:
            try:
                position = self.put_piece(object_type, object_id, content, position, tag)
                deadline = time.monotonic() + retry_seconds
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                if not is_passing(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)

    def delete(self, object_type: str, object_id: str) -> None:
        self._send("DELETE", object_type, object_id)

    def get(self, object_type: str, object_id: str) -> dict[str, Any] | None:
        """The metadata; None when there is no such object."""
        return self._json_or(None, object_type, object_id)

    def status(self, object_type: str, object_id: str) -> str | None:
        """The bare word; None when there is no such object."""
        response = self._request("GET", object_type, object_id, "status")
        return None if response.status_code == 404 else response.raise_for_status().text

    def destinations(self, object_type: str, object_id: str) -> dict[str, str]:
        """Status word by `type:id`."""
        listed: list[dict[str, str]] = self._json_or([], object_type, object_id, "destinations")
        return {f"{each['destinationType']}:{each['destinationID']}": each["status"] for each in listed}

    def updated(self, object_type: str, *, received: bool = False) -> list[dict[str, Any]]:
        """What the polling call shows."""
        params = {"received": "true"} if received else {}
        listed: list[dict[str, Any]] = self._json_or([], object_type, params=params)
        return listed

    def data(self, object_type: str, object_id: str) -> bytes:
        return self._send("GET", object_type, object_id, "data").content

    def digest(self, object_type: str, object_id: str) -> str:
        """SHA-256 of the data in hex, without ever holding all of it."""
        digest = hashlib.sha256()
        with self.http.stream("GET", self._url(object_type, object_id, "data")) as response:
            response.raise_for_status()
            for piece in response.iter_raw():
                digest.update(piece)
        return digest.hexdigest()

    def mark_received(self, object_type: str, object_id: str) -> None:
        self._send("PUT", object_type, object_id, "received")

    def mark_consumed(self, object_type: str, object_id: str) -> None:
        self._send("PUT", object_type, object_id, "consumed")

    def mark_deleted(self, object_type: str, object_id: str) -> None:
        self._send("PUT", object_type, object_id, "deleted")

    def _json_or(self, nothing: T, *segments: str, **options: Any) -> Any | T:
        response = self._request("GET", *segments, **options)
        return nothing if response.status_code == 404 else response.raise_for_status().json()

    def _send(self, method: str, *segments: str, **options: Any) -> httpx.Response:
        response = self._request(method, *segments, **options)
        if response.is_error:
            raise httpx.HTTPStatusError(
                f"{method} {response.request.url.path}: {response.status_code} {response.text}",
                request=response.request,
                response=response,
            )
        return response

    def _request(self, method: str, *segments: str, **options: Any) -> httpx.Response:
        return self.http.request(method, self._url(*segments), **options)

    def _url(self, *segments: str) -> str:
        return "/".join((self.objects_url, *segments))


def is_passing(error: httpx.HTTPError) -> bool:
    """Is it worth repeating the request that ended like this?"""
    return not isinstance(error, httpx.HTTPStatusError) or error.response.status_code in (408, 429, 502, 503, 504)


def wait_until(condition: Callable[[], T], what: str = "", *, timeout_seconds: float = WAIT_SECONDS) -> T:
    """The first true value of `condition`. Fails the test when there is none in time, telling the last value."""
    deadline = time.monotonic() + timeout_seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'it'} did not come true within {timeout_seconds} s; last seen: {value!r}")
        time.sleep(_POLL_SECONDS)
    return value
