"""The certificate of a service's TLS listeners: configured or self-made, and renewed while it is in use."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from common.runtime import tls
from common.runtime.config.listening import Listening
from common.runtime.config.storage import Storage
from common.runtime.host_names import host_addresses, host_names
from common.runtime.logs import fields
from common.runtime.setting_kinds import PemSource
from common.runtime.settings import StartError

log = logging.getLogger(__name__)

_LOOK_SECONDS = 60.0
_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - looked for, not bound to


class CertificateSource(Protocol):
    """Where a pair comes from."""

    def files(self) -> AbstractContextManager[tls.CertificateFiles]:
        """The present pair, for the time of the context. Raises OSError."""
        ...


class ServerCertificate:
    """Loads the pair into `context` again whenever its files change; a worker's turns look for that."""

    def __init__(self, source: CertificateSource, listening: Listening) -> None:
        """Raises StartError."""
        self._source = source
        try:
            with source.files() as files:
                self.context = tls.server_ssl_context(files, listening.minimum_tls)
                self._digest = _digest_of(files)
        except OSError as error:
            raise StartError(f"Cannot use the server certificate: {error}.") from error

    def turn(self) -> float:
        """Look for a change. A pair that cannot be used is reported, and the one in use stays."""
        try:
            with self._source.files() as files:
                self._follow(files)
        except OSError as error:
            log.error("certificate_not_usable", extra=fields(reason=str(error)))
        return _LOOK_SECONDS

    def _follow(self, files: tls.CertificateFiles) -> None:
        digest = _digest_of(files)
        if digest == self._digest:
            return
        # Half a pair in the context in use would end every handshake from now on.
        tls.server_ssl_context(files)
        self.context.load_cert_chain(files.certificate, files.key)
        self._digest = digest
        log.info("certificate_loaded", extra=fields(certificate=str(files.certificate)))


class SelfMade:
    """A pair of this service's own, made anew in time."""

    def __init__(self, listening: Listening, storage: Storage, now: Callable[[], datetime]) -> None:
        self._directory = storage.certificate_directory
        self._now = now
        self._names = set(listening.certificate_names)
        self._is_local = listening.serves_unix_socket
        if not self._is_local:
            self._names |= host_names() | {listening.address} - _ANY_ADDRESS

    @contextmanager
    def files(self) -> Iterator[tls.CertificateFiles]:
        addresses = set() if self._is_local else host_addresses()
        yield tls.ensure_server_certificate(self._directory, self._names, self._now(), addresses=addresses)


class Configured:
    """The pair of the settings."""

    def __init__(self, certificate: PemSource, key: PemSource, root: Path) -> None:
        self._certificate = certificate
        self._key = key
        self._root = root

    @contextmanager
    def files(self) -> Iterator[tls.CertificateFiles]:
        with TemporaryDirectory(prefix="edgesync-") as directory:
            certificate = _as_file(self._certificate, self._root, Path(directory) / "cert.pem")
            yield tls.CertificateFiles(certificate, _as_file(self._key, self._root, Path(directory) / "key.pem"))


def server_certificate(listening: Listening, storage: Storage) -> ServerCertificate:
    """The one the settings ask for. Raises StartError."""
    if not listening.certificate:
        return ServerCertificate(SelfMade(listening, storage, lambda: datetime.now(UTC)), listening)
    return ServerCertificate(Configured(listening.certificate, listening.key, storage.root), listening)


def pem_of(source: PemSource, root: Path) -> str:
    """Raises OSError."""
    return source.text if source.is_pem else source.path_below(root).read_text(encoding="ascii")


def _as_file(source: PemSource, root: Path, target: Path) -> Path:
    if not source.is_pem:
        return source.path_below(root)
    target.touch(0o600)
    target.write_text(source.text, encoding="utf-8")
    return target


def _digest_of(files: tls.CertificateFiles) -> bytes:
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).digest()
