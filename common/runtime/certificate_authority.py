"""The authority that signs the certificates of nodes. It loads a big library when it is first asked for something."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from common.domain.errors import InvalidRequest
from common.domain.ids import NodeKey
from common.runtime.key_making import BACKDATED_BY, pem_of_key, usages
from common.sync.enrolment import Authority, NodeCertificate

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

#: Its end means nothing to the cloud, which looks certificates up; brokers and proxies that trust it want some date.
_AUTHORITY_VALIDITY = timedelta(days=30 * 365)

_SMALLEST_RSA_BITS, _LARGEST_RSA_BITS = 2048, 4096
_LONGEST_COMMON_NAME = 64


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A public key whose owner has proved that he has the private one. Nothing else that a request says is looked at."""

    #: SHA-256 of the key in DER (SubjectPublicKeyInfo), in hex.
    key_digest: str
    public_key: CertificatePublicKeyTypes = field(repr=False)


def new_authority(now: datetime) -> Authority:
    """With a name that no other one has."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"edgesync nodes {secrets.token_hex(8)}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED_BY)
        .not_valid_after(now + _AUTHORITY_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usages("key_cert_sign", "crl_sign")), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate.public_bytes(Encoding.PEM).decode(), pem_of_key(key))


def read_request(pem: str) -> CertificateRequest:
    """Raises InvalidRequest for what is no request, is not signed with its key, or has a weak or unusual one."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = request.public_key()
        _check_key(key)
        is_signed = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise InvalidRequest("This is no certificate request that can be used.") from error
    if not is_signed:
        raise InvalidRequest("The certificate request is not signed with its own key.")
    raw = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return CertificateRequest(hashlib.sha256(raw).hexdigest(), key)


def issue(
    authority: Authority, request: CertificateRequest, node: NodeKey, now_ms: int, lifetime_ms: int
) -> NodeCertificate:
    """A client certificate of `node` for the requested key, good from now on for `lifetime_ms`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = load_pem_private_key(authority.private_key.encode(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    signer = x509.load_pem_x509_certificate(authority.certificate.encode())
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _common_name(node))]))
        .issuer_name(signer.subject)
        .public_key(request.public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED_BY)
        .not_valid_after(now + timedelta(milliseconds=lifetime_ms))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usages("digital_signature")), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(_uri(node))]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    fingerprint = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    pem = certificate.public_bytes(Encoding.PEM).decode()
    return NodeCertificate(fingerprint, node, request.key_digest, pem, now_ms, now_ms + lifetime_ms)


def _check_key(key: CertificatePublicKeyTypes) -> None:
    """Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    match key:
        case RSAPublicKey() if _SMALLEST_RSA_BITS <= key.key_size <= _LARGEST_RSA_BITS:
            return
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1 | SECP384R1 | SECP521R1):
            return
        case Ed25519PublicKey():
            return
    raise ValueError("this kind of key is not accepted")


def _common_name(node: NodeKey) -> str:
    """For eyes, and for brokers that take it as the name of a user."""
    name = str(node)
    if len(name) <= _LONGEST_COMMON_NAME:
        return name
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()[:48]}"


def _uri(node: NodeKey) -> str:
    return "urn:edgesync:node:" + ":".join(quote(part, safe="") for part in node)
