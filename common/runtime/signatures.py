"""Signatures of data: RSA-PSS over SHA-1 or SHA-256, any salt length, the public key as base64 of its DER (PKIX) form.

The key comes with the data, so a good signature proves that the data is what its publisher signed, not who that is.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from common.domain.metadata import Metadata
from common.domain.objects import Payload
from common.domain.signing import Declaration, Verdict, WrongSignature, declaration_of
from common.sync.payloads import PayloadStore

#: Size of the modulus. Smaller ones are forged at home; larger ones only cost time.
_SMALLEST_KEY_BITS = 1024
_LARGEST_KEY_BITS = 8192

#: Base64 of the largest key, and of its signatures, is shorter than this.
_LONGEST_TEXT = 4096

_READ_BYTES = 1 << 20


def judge(meta: Metadata, payload: Payload, data: bytes | None, store: PayloadStore) -> Verdict | None:
    """Whether data has the signature its metadata declares; None when it declares none. Blocks.

    `data` are the bytes of a small payload; another one is sealed in `store` by now. Raises PayloadError.
    """
    declaration = declaration_of(meta)
    if declaration is None:
        return None
    digest = _signed_digest(declaration.hash_algorithm, payload, data, store)
    return Verdict(declaration, is_genuine(declaration, digest))


def check_signature(meta: Metadata, payload: Payload, data: bytes | None, store: PayloadStore) -> None:
    """As `judge`. Raises WrongSignature when the signature is declared and wrong."""
    verdict = judge(meta, payload, data, store)
    if verdict is not None and not verdict.is_genuine:
        raise WrongSignature


def is_genuine(declaration: Declaration, digest: bytes) -> bool:
    """Does the signature belong to data with this digest? Whatever cannot be used as key or signature says no."""
    # Imported here: an edge that never sees a signature need not hold an OpenSSL in memory.
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    if max(len(declaration.public_key), len(declaration.signature)) > _LONGEST_TEXT:
        return False
    algorithm: hashes.HashAlgorithm = (
        hashes.SHA1() if declaration.hash_algorithm == "SHA1" else hashes.SHA256()  # noqa: S303 - the protocol's
    )
    scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO)
    try:
        key = load_der_public_key(base64.b64decode(declaration.public_key, validate=True))
        if not isinstance(key, rsa.RSAPublicKey) or not _SMALLEST_KEY_BITS <= key.key_size <= _LARGEST_KEY_BITS:
            return False
        signature = base64.b64decode(declaration.signature, validate=True)
        key.verify(signature, digest, scheme, utils.Prehashed(algorithm))
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _signed_digest(hash_algorithm: str, payload: Payload, data: bytes | None, store: PayloadStore) -> bytes:
    """SHA-256 of every payload is known; SHA-1 is computed for those few that are signed with it."""
    if hash_algorithm == "SHA256":
        return bytes.fromhex(payload.digest)
    hasher = hashlib.sha1(usedforsecurity=False)
    for piece in [data] if data is not None else _pieces(payload, store):
        hasher.update(piece)
    return hasher.digest()


def _pieces(payload: Payload, store: PayloadStore) -> Iterator[bytes]:
    with store.open(payload.name) as reader:
        for start in range(0, payload.size, _READ_BYTES):
            yield reader.read(start, min(start + _READ_BYTES, payload.size))
