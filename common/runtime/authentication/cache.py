"""Remembers who was authenticated, so that a busy client does not pay for a look-up per request."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from common.domain.principals import Principal

#: How long a removed account or a changed role may stay in force.
LIFETIME_SECONDS = 30.0
_MAX_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class _Entry:
    principal: Principal
    expires_at: float


class PrincipalCache:
    """Positive answers by a keyed hash of the whole `Authorization` header: the secret itself is not kept.

    A wrong secret has another hash, so failed attempts can neither hit nor evict a valid entry.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._key = secrets.token_bytes(32)
        self._entries: dict[bytes, _Entry] = {}

    def find(self, authorization: bytes) -> Principal | None:
        digest = self._digest(authorization)
        entry = self._entries.get(digest)
        if entry is None:
            return None
        if entry.expires_at <= self._monotonic():
            self._entries.pop(digest, None)
            return None
        return entry.principal

    def add(self, authorization: bytes, principal: Principal) -> None:
        if len(self._entries) >= _MAX_ENTRIES:
            self._entries.clear()
        self._entries[self._digest(authorization)] = _Entry(principal, self._monotonic() + LIFETIME_SECONDS)

    def clear(self) -> None:
        """Accounts changed."""
        self._entries.clear()

    def _digest(self, authorization: bytes) -> bytes:
        return hmac.digest(self._key, authorization, hashlib.sha256)
