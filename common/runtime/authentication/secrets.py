"""Secrets at rest: made, hashed, compared.

A secret made here has 256 random bits: one salted SHA-256 is all its hash needs, and a thousand nodes that reconnect at
once cost nothing. A secret somebody chose gets scrypt, because people choose guessable ones.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

#: Marks secrets made by `generate`; whoever picks this prefix for a weak secret only weakens their own account.
GENERATED_PREFIX = "es1_"
_GENERATED_LENGTH = len(GENERATED_PREFIX) + 43

_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1


def generate() -> str:
    """A new secret of 256 random bits, safe in URLs, files and shells."""
    return GENERATED_PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """`scheme$salt$hash`, all hex but the scheme."""
    salt = secrets.token_bytes(16)
    scheme = "sha256" if _is_generated(secret) else "scrypt"
    return f"{scheme}${salt.hex()}${_digest(scheme, secret, salt).hex()}"


def matches(secret: str, stored: str) -> bool:
    """Compared in constant time. False for a stored value that cannot be read."""
    scheme, _, rest = stored.partition("$")
    salt, _, expected = rest.partition("$")
    try:
        return hmac.compare_digest(_digest(scheme, secret, bytes.fromhex(salt)), bytes.fromhex(expected))
    except ValueError:
        return False


def _digest(scheme: str, secret: str, salt: bytes) -> bytes:
    raw = secret.encode()
    if scheme == "sha256":
        return hashlib.sha256(salt + raw).digest()
    if scheme == "scrypt":
        return hashlib.scrypt(raw, salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, maxmem=64 * 1024 * 1024)
    raise ValueError(f"unknown scheme {scheme}")


def _is_generated(secret: str) -> bool:
    return secret.startswith(GENERATED_PREFIX) and len(secret) == _GENERATED_LENGTH
