"""Certificates that clients show in the TLS handshake, on their way to whoever decides what they are worth.

What arrives here was signed by an authority this service trusts, and the client has proved that it holds the key.
"""

from __future__ import annotations

import hashlib
import ssl
from asyncio import BaseTransport
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

from common.sync.authentication import Identified

#: The extension of a request's scope whose `certificate` the client has shown.
CLIENT_CERTIFICATE = "edgesync.client_certificate"

#: A distinguished name as the ssl module writes it.
DistinguishedName: TypeAlias = tuple[Any, ...]

_BODY = b"Unauthorized"


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What a service wants to know of a certificate."""

    #: SHA-256 of the certificate in DER, in hex.
    fingerprint: str
    issuer: DistinguishedName
    #: Seconds since 1970.
    valid_from: float
    valid_until: float


class CertificateAuthenticator(Protocol):
    """Decides what a certificate is worth. No method is for the event loop: each may block."""

    def authenticate(self, shown: ClientCertificate) -> Identified | None:
        """Who it is; None for a certificate that is good and says nothing about that.

        Raises NotAuthenticated for one that is not good, Unavailable when it cannot be told.
        """
        ...

    def generation(self) -> Hashable:
        """Differs from before once anything that `authenticate` said may hold no longer. Raises Unavailable."""
        ...


def certificate_shown_on(transport: BaseTransport) -> ClientCertificate | None:
    """None on a connection without TLS, or when the client has shown nothing."""
    connection = transport.get_extra_info("ssl_object")
    raw = connection.getpeercert(binary_form=True) if connection is not None else None
    if raw is None:
        return None
    known = connection.getpeercert()
    return ClientCertificate(
        hashlib.sha256(raw).hexdigest(),
        known["issuer"],
        ssl.cert_time_to_seconds(known["notBefore"]),
        ssl.cert_time_to_seconds(known["notAfter"]),
    )


def certificate_shown_with(scope: Scope) -> ClientCertificate | None:
    """By the client of this request."""
    found: ClientCertificate | None = scope.get("extensions", {}).get(CLIENT_CERTIFICATE, {}).get("certificate")
    return found


class CertificateDoor:
    """ASGI middleware that lets nobody in who has shown no certificate, except to the addresses in `is_open`."""

    def __init__(self, app: ASGIApp, is_open: frozenset[str]) -> None:
        self._app = app
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and certificate_shown_with(scope) is None and scope["path"] not in self._is_open:
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(_BODY))]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _BODY})
            return
        await self._app(scope, receive, send)
