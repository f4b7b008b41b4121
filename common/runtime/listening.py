"""From the listening settings to bound sockets, with a certificate made when none was given."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from common.runtime import tls
from common.runtime.config.listening import ClientCertificates, Listening
from common.runtime.config.storage import Storage
from common.runtime.hub import Hub
from common.runtime.server_certificate import ServerCertificate, pem_of, server_certificate
from common.runtime.serving import RELOAD, Listener, listen_tcp, listen_unix
from common.runtime.settings import StartError
from common.runtime.worker import Worker


@dataclass(frozen=True)
class ClientTrust:
    """Whose certificates a service takes beside those of the authority in its settings, and what is open without one.

    A service that has something of this kind judges the dates of certificates itself.
    """

    authority: str
    is_open: frozenset[str]


@dataclass(frozen=True)
class OpenListeners:
    """Bound sockets, and what keeps their certificate fresh."""

    listeners: Sequence[Listener]
    certificate: ServerCertificate | None

    def workers(self, hub: Hub) -> Iterator[Worker]:
        if self.certificate is not None:
            yield Worker("certificate", self.certificate.turn, hub, RELOAD)


def open_listeners(listening: Listening, storage: Storage, trust: ClientTrust | None = None) -> OpenListeners:
    """Bind everything the settings ask for. Raises StartError."""
    certificate = server_certificate(listening, storage) if listening.serves_tls else None
    context = certificate.context if certificate is not None else None
    if context is not None and listening.asks_for_certificates:
        _ask_for_certificates(context, listening, storage, trust)
    listeners: list[Listener] = []
    if listening.serves_unix_socket:
        path = listening.socket_path(storage.root)
        listeners.append(listen_unix(path, listening.socket_mode, context))
    if listening.serves_tls_over_tcp:
        listeners.append(listen_tcp(listening.bind_host, listening.secure_port, context))
    if listening.serves_plain_tcp:
        listeners.append(listen_tcp(listening.bind_host, listening.unsecure_port, None))
    if trust is not None and listening.client_certificates is ClientCertificates.REQUIRED:
        listeners = [_closed(listener, trust) for listener in listeners]
    return OpenListeners(listeners, certificate)


def _ask_for_certificates(
    context: ssl.SSLContext, listening: Listening, storage: Storage, trust: ClientTrust | None
) -> None:
    is_required = listening.client_certificates is ClientCertificates.REQUIRED
    try:
        authorities = [pem_of(listening.client_authority, storage.root)] if listening.client_authority else []
        if trust is None:
            tls.ask_for_client_certificates(context, authorities, is_required=is_required, ignores_time=False)
        else:
            # Required of most requests only: `Listener.open_without_certificate` says of which.
            every = [*authorities, trust.authority]
            tls.ask_for_client_certificates(context, every, is_required=False, ignores_time=True)
    except (OSError, ValueError) as error:
        raise StartError(f"Cannot use ClientCACertificate: {error}.") from error


def _closed(listener: Listener, trust: ClientTrust) -> Listener:
    return replace(listener, open_without_certificate=trust.is_open) if listener.tls is not None else listener
