"""TLS contexts, and the certificate a service makes for itself when it was given none."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from common.runtime.config.listening import TlsVersion
from common.runtime.durable_files import replace_file
from common.runtime.key_making import is_address, self_signed

RENEW_BEFORE = timedelta(days=30)

#: Names every certificate we make is valid for: applications on the same machine reach the service by these.
LOCAL_NAMES = ("localhost", "edge-sync-service", "127.0.0.1", "::1")

_NO_CHECK_TIME = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for


_VERSIONS = {TlsVersion.TLS_1_2: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS_1_3: ssl.TLSVersion.TLSv1_3}


class CertificateFiles(NamedTuple):
    """A PEM pair. Clients trust the service by being given `certificate` as their CA file."""

    certificate: Path
    key: Path


def ensure_server_certificate(
    directory: Path, names: Iterable[str], now: datetime, *, addresses: Iterable[str] = ()
) -> CertificateFiles:
    """`cert.pem` and `key.pem` in `directory`: a self-signed certificate for `names` and `LOCAL_NAMES`.

    A pair that is there is kept as long as it belongs together, covers the names (host names and IP addresses) and is
    valid for 30 more days; so this can be called at every start, and daily. A pair that is not valid *yet* is kept too:
    then it is the clock that is wrong. A new one names `addresses` as well, but no pair is replaced for lack of one:
    addresses come and go, and whoever trusts this certificate has to be given each new one.

    Raises OSError when the files cannot be written.
    """
    files = CertificateFiles(directory / "cert.pem", directory / "key.pem")
    wanted = {_normalized(name) for name in (*LOCAL_NAMES, *names)}
    if not _is_good(files, wanted, now):
        directory.mkdir(0o750, parents=True, exist_ok=True)
        made = self_signed(sorted(wanted | {_normalized(address) for address in addresses}), now)
        # A crash between the two leaves a pair that does not belong together, which the next start finds out.
        replace_file(files.key, made.key.encode(), 0o600)
        replace_file(files.certificate, made.document.encode(), 0o644)
    return files


def server_ssl_context(files: CertificateFiles, minimum: TlsVersion = TlsVersion.TLS_1_2) -> ssl.SSLContext:
    """`minimum` and newer, HTTP/1.1. Raises OSError (ssl.SSLError among them) for files that are missing or do not fit.

    `load_cert_chain` on the context in use makes new connections use a renewed pair.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[minimum]
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(files.certificate, files.key)
    return context


def ask_for_client_certificates(
    context: ssl.SSLContext, authorities: Iterable[str], *, is_required: bool, ignores_time: bool
) -> None:
    """Have a server's clients show certificates that `authorities`, PEM texts, have signed. Raises ssl.SSLError.

    A certificate that is shown has to be good, required or not. With `ignores_time` its dates are left to somebody who
    knows better than this machine's clock what to make of them.
    """
    context.load_verify_locations(cadata="\n".join(authorities))
    context.verify_mode = ssl.CERT_REQUIRED if is_required else ssl.CERT_OPTIONAL
    if ignores_time:
        context.verify_flags |= _NO_CHECK_TIME


def trust_whatever_the_time(context: ssl.SSLContext, *, ignores_time: bool) -> None:
    """Whether connections from now on check the dates of certificates; everything else about them is checked always."""
    if ignores_time:
        context.verify_flags |= _NO_CHECK_TIME
    else:
        context.verify_flags &= ~_NO_CHECK_TIME


def client_ssl_context(ca: str = "", minimum: TlsVersion = TlsVersion.TLS_1_2) -> ssl.SSLContext:
    """Verify servers by `ca`, PEM text or the path of a PEM file, and by nothing else; when empty by the system's roots.

    Raises OSError (ssl.SSLError among them) when `ca` is neither.
    """
    is_pem = "-----BEGIN " in ca
    context = ssl.create_default_context(cadata=ca if is_pem else None, cafile=None if is_pem else ca or None)
    context.minimum_version = _VERSIONS[minimum]
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


def _normalized(name: str) -> str:
    name = name.strip().lower()
    return str(ip_address(name)) if is_address(name) else name
