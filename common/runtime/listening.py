"""From the listening settings to bound sockets, with a certificate made when none was given."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from common.runtime import tls
from common.runtime.config.listening import Listening
from common.runtime.config.storage import Storage
from common.runtime.serving import Listener, listen_tcp, listen_unix
from common.runtime.setting_kinds import PemSource
from common.runtime.settings import StartError


def open_listeners(listening: Listening, storage: Storage) -> list[Listener]:
    """Bind everything the settings ask for. Raises StartError."""
    context = _server_tls(listening, storage) if listening.serves_tls else None
    listeners: list[Listener] = []
    if listening.serves_unix_socket:
        listeners.append(listen_unix(listening.socket_path(storage.root), listening.socket_mode, context))
    if listening.serves_tls_over_tcp:
        listeners.append(listen_tcp(listening.bind_host, listening.secure_port, context))
    if listening.serves_plain_tcp:
        listeners.append(listen_tcp(listening.bind_host, listening.unsecure_port, None))
    return listeners


def _server_tls(listening: Listening, storage: Storage) -> ssl.SSLContext:
    try:
        if listening.certificate:
            return _configured(listening, storage.root)
        names = {socket.gethostname(), listening.bind_host} - {"", "0.0.0.0", "::"}  # noqa: S104 - left out, not bound to
        names = set() if listening.serves_unix_socket else names
        return tls.server_ssl_context(
            tls.ensure_server_certificate(storage.certificate_directory, names, datetime.now(UTC))
        )
    except OSError as error:
        raise StartError(f"Cannot use the server certificate: {error}.") from error


def _configured(listening: Listening, root: Path) -> ssl.SSLContext:
    with TemporaryDirectory(prefix="edgesync-") as directory:
        certificate = _as_file(listening.certificate, root, Path(directory) / "cert.pem")
        key = _as_file(listening.key, root, Path(directory) / "key.pem")
        return tls.server_ssl_context(tls.CertificateFiles(certificate, key))


def _as_file(source: PemSource, root: Path, target: Path) -> Path:
    if not source.is_pem:
        return source.path_below(root)
    target.touch(0o600)
    target.write_text(source.text, encoding="utf-8")
    return target
