"""What payloads are called."""

from __future__ import annotations

import hashlib

from common.domain.ids import ObjectKey


def payload_name(key: ObjectKey, token: str) -> str:
    """A name no other object or version shares, whatever characters the key has: 64 hex digits.

    Parts are length-prefixed before hashing: joining them raw is how two objects came to share one file.
    """
    digest = hashlib.sha256()
    for part in (*key, token):
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()
