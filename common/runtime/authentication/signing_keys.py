"""The public keys of an identity provider, as it publishes them (JWKS, RFC 7517)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from common.runtime.config.oidc import SignatureAlgorithm

if TYPE_CHECKING:
    from jwt import PyJWK

_MOST_KEYS = 100
_SMALLEST_RSA_BITS = 2048

#: What a key of an algorithm says about itself, and the members of its public half. Shared secrets are no keys to us.
_FORMS: Mapping[SignatureAlgorithm, Mapping[str, str | None]] = {
    SignatureAlgorithm.RS256: {"kty": "RSA", "n": None, "e": None},
    SignatureAlgorithm.PS256: {"kty": "RSA", "n": None, "e": None},
    SignatureAlgorithm.ES256: {"kty": "EC", "crv": "P-256", "x": None, "y": None},
    SignatureAlgorithm.EDDSA: {"kty": "OKP", "crv": "Ed25519", "x": None},
}


class KeysUnusable(Exception):
    """A document holds no key that tokens could be checked with; the text says why."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Keys by algorithm and id."""

    _keys: Mapping[str, Mapping[str, PyJWK]] = field(default_factory=dict)

    def find(self, algorithm: str, key_id: str | None) -> PyJWK | None:
        """A token without a key id may use the only key there is."""
        keys = self._keys.get(algorithm, {})
        if key_id is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(key_id)


def parse_keys(raw: bytes, algorithms: Iterable[SignatureAlgorithm]) -> SigningKeys:
    """The keys of a JWKS that are for signatures of these algorithms; others are left out. Raises KeysUnusable."""
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise KeysUnusable("it is not JSON") from error
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise KeysUnusable("it has no list of keys")
    keys: dict[str, dict[str, PyJWK]] = {algorithm: {} for algorithm in algorithms}
    for number, entry in enumerate(listed[:_MOST_KEYS]):
        for algorithm, by_id in keys.items():
            key = _key(entry, SignatureAlgorithm(algorithm))
            if key is not None:
                by_id[str(entry.get("kid", f"\0{number}"))] = key
    if not any(keys.values()):
        raise KeysUnusable("none of its keys fits OIDCAlgorithms")
    return SigningKeys(keys)


def _key(entry: Any, algorithm: SignatureAlgorithm) -> PyJWK | None:
    """None for a key that is not for this, or that nobody should trust."""
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    form = _FORMS[algorithm]
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm:
        return None
    if any(wanted is not None and entry.get(member) != wanted for member, wanted in form.items()):
        return None
    try:
        key = PyJWK({member: entry[member] for member in form}, algorithm)
    except (PyJWTError, KeyError, TypeError, ValueError):
        return None
    return None if form["kty"] == "RSA" and key.key.key_size < _SMALLEST_RSA_BITS else key
