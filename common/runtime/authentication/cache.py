"""Remembers who was authenticated, so that a busy client does not pay for a look-up per request."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from common.domain.principals import Principal
from common.sync.authentication import Identified

#: How long an answer that holds until something changes is remembered without asking again.
LIFETIME_SECONDS = 600.0
_MAX_ENTRIES = 20_000

_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Remembered:
    """Who was recognized by which credentials, and until when that holds by the monotonic clock."""

    principal: Principal
    holds_until: float
    #: Of the cache when it was asked for; a later one may know better.
    epoch: int
    #: A keyed hash: equal for the same credentials.
    credentials: bytes


class PrincipalCache:
    """Positive answers by a keyed hash of the whole `Authorization` header: the secret itself is not kept.

    A wrong secret has another hash, so failed attempts can neither hit nor evict a valid entry.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._key = secrets.token_bytes(32)
        self._entries: dict[bytes, Remembered] = {}
        # Headers that were right the last time anybody looked; more than `_entries`, which are right now.
        self._were_right: dict[bytes, None] = {}
        #: Grows with every `clear`.
        self.epoch = 0

    def find(self, authorization: bytes) -> Remembered | None:
        digest = self._digest(authorization)
        entry = self._entries.get(digest)
        if entry is not None and entry.holds_until <= self._monotonic():
            del self._entries[digest]
            return None
        return entry

    def add(self, authorization: bytes, identified: Identified, epoch: int) -> Remembered:
        """Remember an answer that was asked for in `epoch`; one that a `clear` has overtaken is good for one use only."""
        valid_seconds = LIFETIME_SECONDS
        if identified.valid_seconds is not None:
            valid_seconds = min(valid_seconds, identified.valid_seconds)
        digest = self._digest(authorization)
        entry = Remembered(identified.principal, self._monotonic() + valid_seconds, epoch, digest)
        _put(self._were_right, digest, None)
        if epoch == self.epoch:
            _put(self._entries, digest, entry)
        return entry

    def was_right(self, authorization: bytes) -> bool:
        """Whoever presents this is not guessing, even if it is no longer right."""
        return self._digest(authorization) in self._were_right

    def forget(self, authorization: bytes) -> None:
        """It has turned out to be wrong."""
        digest = self._digest(authorization)
        self._entries.pop(digest, None)
        self._were_right.pop(digest, None)

    def clear(self) -> None:
        """Credentials changed: everybody is to be looked up again."""
        self._entries.clear()
        self.epoch += 1

    def _digest(self, authorization: bytes) -> bytes:
        return hmac.digest(self._key, authorization, hashlib.sha256)


def _put(entries: dict[bytes, _V], key: bytes, value: _V) -> None:
    if len(entries) >= _MAX_ENTRIES and key not in entries:
        entries.clear()
    entries[key] = value
