"""TLS contexts, and the certificate a service makes for itself when it was given none."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

VALIDITY = timedelta(days=500)
RENEW_BEFORE = timedelta(days=30)

#: Names every certificate we make is valid for: applications on the same machine reach the service by these.
LOCAL_NAMES = ("localhost", "edge-sync-service", "127.0.0.1", "::1")

_NO_CHECK_TIME = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for

# A clock that is behind, of a client or our own, must not make a new certificate unusable.
_BACKDATED_BY = timedelta(days=1)


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


class CertificateFiles(NamedTuple):
    """A PEM pair. Clients trust the service by being given `certificate` as their CA file."""

    certificate: Path
    key: Path


def ensure_server_certificate(directory: Path, names: Iterable[str], now: datetime) -> CertificateFiles:
    """`cert.pem` and `key.pem` in `directory`: a self-signed certificate for `names` and `LOCAL_NAMES`.

    A pair that is there is kept as long as it belongs together, covers the names (host names and IP addresses) and is
    valid for 30 more days; so this can be called at every start, and daily. A pair that is not valid *yet* is kept too:
    then it is the clock that is wrong. Raises OSError when the files cannot be written.
    """
    files = CertificateFiles(directory / "cert.pem", directory / "key.pem")
    wanted = {_normalized(name) for name in (*LOCAL_NAMES, *names)}
    if not _is_good(files, wanted, now):
        directory.mkdir(0o750, parents=True, exist_ok=True)
        certificate_pem, key_pem = _self_signed(sorted(wanted), now)
        # A crash between the two leaves a pair that does not belong together, which the next start finds out.
        _replace(files.key, key_pem, 0o600)
        _replace(files.certificate, certificate_pem, 0o644)
    return files


def server_ssl_context(files: CertificateFiles) -> ssl.SSLContext:
    """TLS 1.2 and newer, HTTP/1.1. Raises OSError (ssl.SSLError among them) for files that are missing or do not fit.

    `load_cert_chain` on the context in use makes new connections use a renewed pair.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(files.certificate, files.key)
    return context


def client_ssl_context(ca: str = "") -> ssl.SSLContext:
    """Verify servers by `ca`, PEM text or the path of a PEM file, and by nothing else; when empty by the system's roots.

    Raises OSError (ssl.SSLError among them) when `ca` is neither.
    """
    is_pem = "-----BEGIN " in ca
    context = ssl.create_default_context(cadata=ca if is_pem else None, cafile=None if is_pem else ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _is_good(files: CertificateFiles, wanted: set[str], now: datetime) -> bool:
    try:
        certificate = _as_seen_by_a_client(files)
    except OSError:
        return False
    covered = {_normalized(str(value)) for _, value in certificate.get("subjectAltName", ())}
    expires_at = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return wanted <= covered and expires_at - now.timestamp() > RENEW_BEFORE.total_seconds()


def _as_seen_by_a_client(files: CertificateFiles) -> dict[str, Any]:
    """The fields of a self-signed certificate, from a handshake with ourselves in memory.

    That also proves that the key is there and fits, and spares the process the memory of a certificate parser.
    Raises OSError when the pair is unusable for anything else than its time.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= _NO_CHECK_TIME
    trusting.load_verify_locations(files.certificate)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server)
    server = server_ssl_context(files).wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return client.getpeercert() or {}


def _self_signed(names: Iterable[str], now: datetime) -> tuple[bytes, bytes]:
    """Certificate and key in PEM.

    P-256 rather than RSA: every TLS 1.2 client has it, and a small box makes the key in no time and signs each
    handshake ten times cheaper. Not a CA: whoever trusts it trusts this service, and nothing that its key might sign.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    usage = dict.fromkeys(_KEY_USAGES, False) | {"digital_signature": True}
    alternatives = [x509.IPAddress(ip_address(n)) if _is_address(n) else x509.DNSName(n) for n in names]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED_BY)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key_pem


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Put `content` at `path`, whole and durable; at no moment is it readable by more than `mode` says."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _normalized(name: str) -> str:
    name = name.strip().lower()
    return str(ip_address(name)) if _is_address(name) else name


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
