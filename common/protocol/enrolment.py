"""What a node and its cloud say to each other about the node's certificate, in JSON."""

from __future__ import annotations

import msgspec


class EnrolmentRequest(msgspec.Struct, frozen=True):
    """Of `enrol` and `renew`."""

    #: A certificate request (PKCS #10) in PEM.
    request: str
    #: Of `enrol` only.
    token: str = ""

    def __repr__(self) -> str:
        return "EnrolmentRequest(…)"


class EnrolmentAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The certificate and who signed it, in PEM."""

    certificate: str
    authority: str
    #: By the cloud's clock, in ms since 1970.
    expires_at_ms: int
