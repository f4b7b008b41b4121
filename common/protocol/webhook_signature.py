"""How receivers know that a call is ours: the headers of Standard Webhooks 1.0."""

from __future__ import annotations

import base64
import hmac

#: Of secrets whose key is written in base64.
_ENCODED_PREFIX = "whsec_"


def signing_key(secret: str) -> bytes:
    """The key a secret stands for: what is encoded after `whsec_`, or its own bytes. Raises ValueError."""
    if secret.startswith(_ENCODED_PREFIX):
        return base64.b64decode(secret.removeprefix(_ENCODED_PREFIX), validate=True)
    return secret.encode()


def identifying_headers(secret: str, event_id: int, now_ms: int, body: bytes) -> dict[str, str]:
    """The event's id, which repeats share, the time of this attempt and, with a secret, the signature over both and `body`."""
    timestamp = str(now_ms // 1000)
    headers = {"webhook-id": str(event_id), "webhook-timestamp": timestamp}
    if secret:
        signed = b".".join((headers["webhook-id"].encode(), timestamp.encode(), body))
        digest = hmac.digest(signing_key(secret), signed, "sha256")
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers
