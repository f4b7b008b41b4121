"""Private keys, and what is made with them at once: a self-signed certificate, a request for a certificate.

The library for this takes ten megabytes, and a service needs it for a moment every few weeks. So it runs in a child
process that ends when it is done:

    python -m common.runtime.key_making self-signed NOW NAME…      a key and a certificate in PEM, on standard output
    python -m common.runtime.key_making request NAME               a key and a certificate request

Keys are P-256: every TLS 1.2 client has it, and a small box makes one in no time and signs each handshake ten times
cheaper than with RSA.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

VALIDITY = timedelta(days=500)

#: A clock that is behind, of a client or our own, must not make a new certificate unusable.
BACKDATED_BY = timedelta(days=1)

_CHILD_SECONDS = 60
_KEY_END = "-----END PRIVATE KEY-----\n"

_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Made(NamedTuple):
    """PEM texts."""

    key: str
    #: A certificate, or a request for one.
    document: str


def self_signed(names: Iterable[str], now: datetime) -> Made:
    """A certificate for host names and addresses, valid from `now` less a day for VALIDITY. Raises OSError."""
    return _in_child("self-signed", str(now.timestamp()), *names)


def certificate_request(name: str) -> Made:
    """A request in which a node called `name` proves that it has the key. Raises OSError."""
    return _in_child("request", name)


def split(text: str) -> Made:
    """What was written as key and document, one after the other. Raises ValueError."""
    key, end, document = text.partition(_KEY_END)
    if not document:
        raise ValueError("there is no key with something behind it")
    return Made(key + end, document)


def usages(*names: str) -> dict[str, bool]:
    """Arguments of an X.509 key usage extension."""
    return dict.fromkeys(_KEY_USAGES, False) | dict.fromkeys(names, True)


def is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _in_child(*arguments: str) -> Made:
    done = subprocess.run(
        [sys.executable, "-m", "common.runtime.key_making", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=_CHILD_SECONDS,
    )
    if done.returncode != 0:
        raise OSError(f"no key could be made: {done.stderr.strip().rpartition(chr(10))[2] or done.returncode}")
    return split(done.stdout)


def _self_signed(names: list[str], now: datetime) -> Made:
    """Not a CA: whoever trusts it trusts this service, and nothing that its key might sign."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    alternatives = [x509.IPAddress(ip_address(name)) if is_address(name) else x509.DNSName(name) for name in names]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED_BY)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usages("digital_signature")), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Made(pem_of_key(key), certificate.public_bytes(Encoding.PEM).decode())


def _request(name: str) -> Made:
    """What the certificate will say is up to who signs it; the name here is for the eyes of an operator."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return Made(pem_of_key(key), request.public_bytes(Encoding.PEM).decode())


def pem_of_key(key: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def main(arguments: list[str]) -> int:
    what, *rest = arguments
    if what == "request":
        made = _request(*rest)
    else:
        now, *names = rest
        made = _self_signed(names, datetime.fromtimestamp(float(now), UTC))
    sys.stdout.write(made.key + made.document)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
