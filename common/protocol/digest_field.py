"""`Repr-Digest` (RFC 9530): the SHA-256 of a whole payload, whatever part of it a message carries."""

from __future__ import annotations

import base64
import binascii

DIGEST_HEADER = "Repr-Digest"

_SHA256_BYTES = 32


def format_digest(digest: str) -> str:
    """The field's value for a SHA-256 in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode()}:"


def parse_digest(text: str | None) -> str | None:
    """The SHA-256 in hex; None when the field is absent, names none, or cannot be read: it is an offer, not a duty."""
    for part in (text or "").split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "sha-256" and len(value) > 2 and value[0] == value[-1] == ":":
            return _hex_of(value[1:-1])
    return None


def _hex_of(encoded: str) -> str | None:
    try:
        digest = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == _SHA256_BYTES else None
