"""Signed data, as a publisher makes it."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any, TypeAlias

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from common.domain.metadata import Metadata

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_ALGORITHMS: dict[str, hashes.HashAlgorithm] = {"SHA1": hashes.SHA1(), "SHA256": hashes.SHA256()}


def private_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same one for the whole run: making one takes a while."""
    return _made_once(bits)


@cache
def _made_once(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def public_text(key: PrivateKey) -> str:
    """A key's public half, as metadata carries it."""
    public = key.public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def signature_text(data: bytes, algorithm: str = "SHA256", salt_bytes: int | None = None, bits: int = 2048) -> str:
    """A signature of `data`, as metadata carries it; the salt is as long as it can be unless said otherwise."""
    chosen = _ALGORITHMS[algorithm]
    salt = padding.PSS.MAX_LENGTH if salt_bytes is None else salt_bytes
    signature = private_key(bits).sign(data, padding.PSS(padding.MGF1(chosen), salt), chosen)
    return base64.b64encode(signature).decode()


def signed(data: bytes, algorithm: str = "SHA256") -> dict[str, Any]:
    """The three members, by their names on the wire, for an object with this data."""
    key = public_text(private_key())
    return {"hashAlgorithm": algorithm, "publicKey": key, "signature": signature_text(data, algorithm)}


def signed_members(data: bytes, algorithm: str = "SHA256") -> dict[str, Any]:
    """As `signed`, by their names in Python."""
    wire = signed(data, algorithm)
    return {
        "hash_algorithm": wire["hashAlgorithm"],
        "public_key": wire["publicKey"],
        "signature": wire["signature"],
    }


def signed_meta(data: bytes, algorithm: str = "SHA256") -> Metadata:
    """Metadata of an object with this data, and nothing else in it."""
    return Metadata(**signed_members(data, algorithm))
