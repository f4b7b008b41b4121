"""The edge's half of the HTTP link: every call to the cloud, and what its answers mean (wire-protocol 2, 0.2).

Synchronous, for worker threads; connections are kept alive and shared.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from common.domain.chunks import Range
from common.domain.errors import (
    Ignored,
    NotAuthenticated,
    NotFound,
    ProtocolViolation,
    SyncError,
    TooManyRequests,
    Unavailable,
    UnknownNode,
    VerificationFailed,
)
from common.domain.ids import NodeKey, ObjectKey
from common.domain.objects import Payload
from common.protocol import codec, routes
from common.protocol.digest_field import DIGEST_HEADER, format_digest, parse_digest
from common.protocol.messages import Action, PollItem
from common.protocol.routes import Capability
from ess.services.cloud import Download
from ess.transports.http_library import httpx

#: What this edge can do beyond the baseline.
CAPABILITIES = frozenset({Capability.WAIT, Capability.RESUME, Capability.DIGEST})

#: Data that does not move for so long is asked for again, from where it stopped.
_STALL_SECONDS = 60.0

#: A long poll's answer may be late by this much before the connection is taken for dead.
_WAIT_MARGIN_SECONDS = 10.0

_ERRORS: dict[int, type[SyncError]] = {
    403: NotAuthenticated,
    404: NotFound,
    409: Ignored,
    422: VerificationFailed,
    424: UnknownNode,
    429: TooManyRequests,
    **dict.fromkeys((307, 408, 502, 503, 504), Unavailable),
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect and for a control call; for a read of data to make progress."""

    control_seconds: float
    data_seconds: float


class CloudClient:
    """Calls of one node. Every method raises Unavailable when the cloud cannot be reached or asks to wait."""

    def __init__(
        self,
        base_url: str,
        node: NodeKey,
        app_key: str,
        app_secret: str,
        verify: ssl.SSLContext | bool,
        timeouts: Timeouts,
        labels: str = "",
    ) -> None:
        """`labels` is what the node says about itself, as LABELS_HEADER has it."""
        self._node = node
        self._labels = labels
        self._timeouts = timeouts
        # Between two pieces: a link that is silent for so long is dead, and the rest is fetched over another one.
        self._stall_seconds = min(timeouts.data_seconds, _STALL_SECONDS)
        self._base_url = base_url
        self._verify = verify
        self._client = self._connect(httpx.BasicAuth(app_key, app_secret))
        #: The one before, which requests may still be using.
        self._retired: httpx.Client | None = None
        #: Has the cloud said last that the certificate is to be renewed?
        self.is_renewal_wanted = False

    def show_certificate(self) -> None:
        """Begin new connections, which show what `verify` holds by now, and present no key and secret."""
        if self._retired is not None:
            self._retired.close()
        self._retired, self._client = self._client, self._connect(None)
        self.is_renewal_wanted = False

    def close(self) -> None:
        self._client.close()
        if self._retired is not None:
            self._retired.close()

    def register(self) -> frozenset[str]:
        """What the cloud can do. Raises NotFound when it does not know this node."""
        return self._node_call("register", {"persistent-storage": "true"})

    def register_new(self) -> frozenset[str]:
        return self._node_call("register-new", {"persistent-storage": "true"})

    def unregister(self) -> None:
        self._node_call("unregister", {})

    def resend(self) -> None:
        self._request("PUT", routes.resend_path(self._node.org))

    def poll(self, wait_seconds: int) -> list[PollItem]:
        """What the cloud has for this node, after waiting up to `wait_seconds` for it. Raises UnknownNode."""
        headers = {"prefer": f"wait={wait_seconds}"} if wait_seconds else {}
        timeout = httpx.Timeout(self._timeouts.control_seconds, read=self._read_seconds(wait_seconds))
        response = self._request("GET", routes.POLL_PATH, headers=headers, timeout=timeout)
        self.is_renewal_wanted = response.headers.get(routes.CERTIFICATE_HEADER) == routes.RENEW_CERTIFICATE
        return codec.decode_poll(response.content) if response.content else []

    def send(
        self, action: Action, key: ObjectKey, instance: int, data_id: int, body: bytes | None = None
    ) -> httpx.Headers:
        """Deliver one message; the headers of the answer. Raises Ignored when it was stale, which ends the retry as well."""
        return self._request("PUT", routes.object_path(key, instance, data_id, action), content=body).headers

    @contextmanager
    def download(self, key: ObjectKey, instance: int, data_id: int, part: Range | None) -> Iterator[Download]:
        """The data, or `part` of it. Raises NotFound when the object is gone, Ignored when another instance is current."""
        headers = {"range": f"bytes={part.start}-{part.end - 1}"} if part is not None else {}
        path = routes.object_path(key, instance, data_id, Action.DATA)
        timeout = httpx.Timeout(self._timeouts.control_seconds, read=self._stall_seconds)
        with translated(), self._client.stream("GET", path, headers=headers, timeout=timeout) as response:
            check(response)
            if response.status_code == 204:
                raise NotFound  # the reference's way to say that it has no record (wire-protocol 0.2 rule 7)
            start = part.start if part is not None and response.status_code == 206 else 0
            yield Download(start, parse_digest(response.headers.get(DIGEST_HEADER)), _pieces(response))

    def upload(
        self, key: ObjectKey, instance: int, data_id: int, body: Iterable[bytes], span: Range, payload: Payload
    ) -> None:
        """Send `span` of the data, which `body` yields. The whole goes without Content-Range (wire-protocol 0.2 rule 3)."""
        headers = {"content-length": str(span.size_bytes), "content-type": "application/octet-stream"}
        headers[DIGEST_HEADER] = format_digest(payload.digest)
        if span.size_bytes != payload.size:
            headers["content-range"] = f"bytes {span.start}-{span.end - 1}/{payload.size}"
        timeout = httpx.Timeout(self._timeouts.control_seconds, read=self._stall_seconds)
        path = routes.object_path(key, instance, data_id, Action.DATA)
        self._request("PUT", path, content=body, headers=headers, timeout=timeout)

    def _connect(self, auth: httpx.Auth | None) -> httpx.Client:
        return httpx.Client(
            base_url=self._base_url,
            auth=auth,
            headers=[
                (routes.NODE_HEADER.encode(), routes.node_header(self._node)),
                (routes.CAPABILITIES_HEADER.encode(), routes.format_capabilities(CAPABILITIES).encode()),
            ],
            verify=self._verify,
            timeout=self._timeouts.control_seconds,
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=100),
            follow_redirects=False,
            # Proxies of the environment lead to the cloud, never to this machine itself.
            trust_env=not is_loopback(self._base_url),
        )

    def _node_call(self, call: str, params: dict[str, str]) -> frozenset[str]:
        headers = {routes.LABELS_HEADER: self._labels} if call.startswith("register") else {}
        response = self._request("PUT", routes.node_call_path(call, self._node), params=params, headers=headers)
        return routes.parse_capabilities(response.headers.get(routes.CAPABILITIES_HEADER)) & CAPABILITIES

    def _request(self, method: str, path: str, **options: object) -> httpx.Response:
        with translated():
            response = self._client.request(method, path, **options)  # type: ignore[arg-type]
        check(response)
        return response

    def _read_seconds(self, wait_seconds: int) -> float:
        return wait_seconds + _WAIT_MARGIN_SECONDS if wait_seconds else self._timeouts.control_seconds


def is_loopback(base_url: str) -> bool:
    host = httpx.URL(base_url).host
    return host in {"localhost", "::1"} or host.startswith("127.")


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise Unavailable(f"The cloud cannot be reached: {reason}.") from error
    except (httpx.InvalidURL, httpx.DecodingError) as error:
        raise ProtocolViolation(f"The cloud's answer cannot be used: {error}.") from error


def check(response: httpx.Response) -> None:
    status = response.status_code
    if status < 300:
        return
    error = _ERRORS.get(status, Unavailable if status >= 500 else ProtocolViolation)
    raise error(f"The cloud answered {status}.")


def _pieces(response: httpx.Response) -> Iterator[bytes]:
    with translated():
        yield from response.iter_raw()
