"""What counts as a signature of data: RSA-PSS, and nothing that only looks like it."""

from __future__ import annotations

import base64
import hashlib

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from hypothesis import given
from hypothesis import strategies as st

from common.domain.errors import VerificationFailed
from common.domain.objects import Payload
from common.domain.signing import Declaration
from common.runtime.signatures import check_signature, is_genuine, judge
from tests.support.payloads import MemoryPayloadStore
from tests.support.signing import private_key, public_text, signature_text, signed_meta

DATA = b"signed content"
DIGEST = hashlib.sha256(DATA).digest()
KEY = public_text(private_key())


def payload_of(data: bytes, *, is_small: bool = True) -> Payload:
    return Payload("ab" * 32, len(data), hashlib.sha256(data).hexdigest(), is_small)


def judged(declaration: Declaration) -> bool:
    return is_genuine(declaration, DIGEST)


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256"])
@pytest.mark.parametrize("salt_bytes", [None, 0, 20, 32])
def test_any_length_of_salt_is_good(algorithm: str, salt_bytes: int | None) -> None:
    declaration = Declaration(algorithm, KEY, signature_text(DATA, algorithm, salt_bytes))

    assert is_genuine(declaration, hashlib.new(algorithm.lower(), DATA).digest())
    assert not is_genuine(declaration, hashlib.new(algorithm.lower(), DATA + b"!").digest())


def test_the_declared_algorithm_is_the_one_that_counts() -> None:
    assert not judged(Declaration("SHA256", KEY, signature_text(DATA, "SHA1")))


def test_another_padding_is_not_what_was_agreed() -> None:
    signature = private_key().sign(DATA, padding.PKCS1v15(), hashes.SHA256())

    assert not judged(Declaration("SHA256", KEY, base64.b64encode(signature).decode()))


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(public_text(ec.generate_private_key(ec.SECP256R1())), id="elliptic curve"),
        pytest.param(public_text(ed25519.Ed25519PrivateKey.generate()), id="Edwards curve"),
        pytest.param(base64.b64encode(b"not a key").decode(), id="no key"),
        pytest.param("A" * 100_000, id="endless"),
        pytest.param("!", id="no base64"),
    ],
)
def test_whatever_is_no_rsa_key_verifies_nothing(key: str) -> None:
    assert not judged(Declaration("SHA256", key, signature_text(DATA)))


def test_a_key_that_anybody_could_break_verifies_nothing() -> None:
    # 1023 bits, taken from a good key of 1024: whether it could verify does not matter any more.
    numbers = private_key(1024).public_key().public_numbers()
    small = _der(numbers.n >> 1 | 1, numbers.e)

    assert judged(Declaration("SHA256", public_text(private_key(1024)), signature_text(DATA, bits=1024)))
    assert not judged(Declaration("SHA256", small, signature_text(DATA, bits=1024)))


@pytest.mark.parametrize(
    ("modulus", "exponent"), [(0, 3), (1, 1), (2**2047, 65537), (2**2047 + 1, 0), (2**8191, 2**8190 + 1)]
)
def test_a_key_made_of_absurd_numbers_verifies_nothing(modulus: int, exponent: int) -> None:
    assert not judged(Declaration("SHA256", _der(modulus, exponent), signature_text(DATA)))


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_garbage_verifies_nothing(key: bytes, signature: bytes) -> None:
    texts = [base64.b64encode(raw).decode() for raw in (key, signature)]

    assert not judged(Declaration("SHA256", *texts))
    assert not judged(Declaration("SHA256", KEY, texts[1]))


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256"])
@pytest.mark.parametrize("size", [0, 14, 3 * 1024 * 1024 + 5])
def test_data_is_judged_where_it_lies(algorithm: str, size: int) -> None:
    data = bytes(size)
    meta = signed_meta(data, algorithm)
    store = MemoryPayloadStore()
    payload = payload_of(data, is_small=False)
    with store.writer(payload.name) as writer:
        writer.write(0, data)
        writer.flush()
    store.seal(payload.name, size)

    in_memory, in_store = judge(meta, payload_of(data), data, store), judge(meta, payload, None, store)

    assert in_memory is not None
    assert in_memory.is_genuine
    assert in_memory == in_store


@pytest.mark.parametrize("left_out", ["hash_algorithm", "public_key", "signature"])
def test_with_one_of_the_three_missing_nothing_is_checked(left_out: str) -> None:
    meta = msgspec.structs.replace(signed_meta(b"other"), **{left_out: ""})

    check_signature(meta, payload_of(DATA), DATA, MemoryPayloadStore())


def test_wrong_data_is_said_to_be_wrong() -> None:
    meta = signed_meta(b"other")

    with pytest.raises(VerificationFailed):
        check_signature(meta, payload_of(DATA), DATA, MemoryPayloadStore())


def _der(modulus: int, exponent: int) -> str:
    """A PKIX key of any two numbers."""
    numbers = _tagged(0x30, _integer(modulus) + _integer(exponent))
    rsa_encryption = bytes.fromhex("300d06092a864886f70d0101010500")
    return base64.b64encode(_tagged(0x30, rsa_encryption + _tagged(0x03, b"\0" + numbers))).decode()


def _integer(value: int) -> bytes:
    return _tagged(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _tagged(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x82]) + len(content).to_bytes(2, "big") + content
