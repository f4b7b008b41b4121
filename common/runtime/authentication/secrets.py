"""Secrets at rest: made, hashed, compared.

A secret made here has 256 random bits: one salted SHA-256 is all its hash needs, and a thousand nodes that reconnect at
once cost nothing. A secret somebody chose gets scrypt, because people choose guessable ones.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading

#: Marks secrets made by `generate`; whoever picks this prefix for a weak secret only weakens their own account.
GENERATED_PREFIX = "es1_"
_GENERATED_LENGTH = len(GENERATED_PREFIX) + 43

_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1
_SALT_BYTES = 16
_HASH = re.compile(
    rf"sha256\$[0-9a-f]{{{2 * _SALT_BYTES}}}\$[0-9a-f]{{64}}|scrypt\$[0-9a-f]{{{2 * _SALT_BYTES}}}\$[0-9a-f]{{128}}"
)
_MOST_PROVEN = 20_000

_one_scrypt = threading.Lock()


def generate() -> str:
    """A new secret of 256 random bits, safe in URLs, files and shells."""
    return GENERATED_PREFIX + secrets.token_urlsafe(32)


def generate_key(org: str) -> str:
    """A new application key that says whose it is."""
    return f"{org}/key-{secrets.token_hex(8)}".removeprefix("/")


def hash_secret(secret: str) -> str:
    """`scheme$salt$hash`, all hex but the scheme."""
    salt = secrets.token_bytes(_SALT_BYTES)
    scheme = _scheme_of(secret)
    return f"{scheme}${salt.hex()}${_digest(scheme, secret, salt).hex()}"


def matches(secret: str, stored: str) -> bool:
    """Compared in constant time. False for a stored value that cannot be read.

    How long it takes depends on `secret` alone, so that nobody learns which kind is stored, or that none is.
    """
    scheme, (stored_scheme, salt, expected) = _scheme_of(secret), _parts(stored)
    is_equal = hmac.compare_digest(_digest(scheme, secret, salt), expected)
    return is_equal and scheme == stored_scheme


def is_hash(text: str) -> bool:
    """Could `hash_secret` have made this?"""
    return _HASH.fullmatch(text) is not None


class ProvenSecrets:
    """`matches` that takes its time only once for the same secret and hash. Nothing of it can become wrong."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._proven: set[bytes] = set()

    def matches(self, secret: str, stored: str) -> bool:
        proof = hmac.digest(self._key, f"{stored}\0{secret}".encode(), hashlib.sha256)
        if proof in self._proven:
            return True
        if not matches(secret, stored):
            return False
        if len(self._proven) >= _MOST_PROVEN:
            self._proven.clear()
        self._proven.add(proof)
        return True


def _parts(stored: str) -> tuple[str, bytes, bytes]:
    scheme, _, rest = stored.partition("$")
    salt, _, expected = rest.partition("$")
    try:
        return scheme, bytes.fromhex(salt), bytes.fromhex(expected)
    except ValueError:
        return "", b"", b""


def _digest(scheme: str, secret: str, salt: bytes) -> bytes:
    raw = secret.encode()
    if scheme == "sha256":
        return hashlib.sha256(salt + raw).digest()
    # One at a time: each takes 16 MiB.
    with _one_scrypt:
        return hashlib.scrypt(raw, salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, maxmem=64 * 1024 * 1024)


def _scheme_of(secret: str) -> str:
    is_generated = secret.startswith(GENERATED_PREFIX) and len(secret) == _GENERATED_LENGTH
    return "sha256" if is_generated else "scrypt"


#: Matches no secret: for keys that nobody has, so that the time taken does not tell.
NOBODYS = hash_secret(generate())
