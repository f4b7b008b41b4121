"""Where clients reach this service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from common.runtime.setting_kinds import PemSource, absolute, choice, host, integer, octal_mode, pem, text
from common.runtime.settings import Kind, Problem, Role, setting

#: `sun_path` of Linux, less its terminating zero.
MAX_SOCKET_PATH_BYTES = 107


class ListeningType(StrEnum):
    """Which listeners are opened."""

    SECURE = "secure"
    UNSECURE = "unsecure"
    BOTH = "both"
    UNIX = "unix"
    SECURE_UNIX = "secure-unix"


class TlsVersion(StrEnum):
    """The lowest version of TLS that is spoken."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class ClientCertificates(StrEnum):
    """What a TLS listener asks of its clients."""

    OFF = "off"
    #: One that is shown has to be good.
    OPTIONAL = "optional"
    #: Nobody is served without one.
    REQUIRED = "required"


def hosts() -> Kind[tuple[str, ...]]:
    """A comma list of host names and addresses, or nothing."""
    one = host()

    def parse(text: str) -> tuple[str, ...]:
        items = [item.strip() for item in text.split(",")] if text.strip() else []
        return tuple(dict.fromkeys(one.parse(item) for item in items))

    return Kind(
        parse=parse,
        show=",".join,
        expects="host names and addresses (several with commas)",
        takes_empty=True,
    )


_TLS_TCP = frozenset({ListeningType.SECURE, ListeningType.BOTH})
_PLAIN_TCP = frozenset({ListeningType.UNSECURE, ListeningType.BOTH})
_UNIX = frozenset({ListeningType.UNIX, ListeningType.SECURE_UNIX})


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Listening."""

    type: ListeningType = setting(
        "ListeningType",
        "LISTENING_TYPE",
        choice(ListeningType),
        ListeningType.UNSECURE,
        "TLS, plain HTTP or both over TCP, or a Unix socket, plain or with TLS.",
        default_on_ess=ListeningType.SECURE,
    )
    address: str = setting(
        "ListeningAddress",
        "LISTENING_ADDRESS",
        text(),
        "",
        "Address to listen on, empty for all; with a Unix socket its path (relative: below PersistenceRootPath).",
        example="127.0.0.1",
    )
    secure_port: int = setting(
        "SecureListeningPort", "SECURE_LISTENING_PORT", integer(0, 65535), 8443, "Port of the TLS listener."
    )
    unsecure_port: int = setting(
        "UnsecureListeningPort", "UNSECURE_LISTENING_PORT", integer(0, 65535), 8080, "Port of the plain HTTP listener."
    )
    socket_mode: int = setting(
        "UnixSocketFilePermissions",
        "UNIX_SOCKET_FILE_PERMISSIONS",
        octal_mode(),
        0o660,
        "Permissions of the Unix socket.",
    )
    certificate: PemSource = setting(
        "ServerCertificate",
        "SERVER_CERTIFICATE",
        pem(),
        PemSource(),
        "Certificate chain: PEM text (environment) or a path (relative: below PersistenceRootPath). "
        "Required for TLS on a CSS; an ESS without one makes its own.",
        example="sync/certs/server.pem",
    )
    key: PemSource = setting(
        "ServerKey",
        "SERVER_KEY",
        pem(),
        PemSource(),
        "Private key of the certificate, given in the same way.",
        example="sync/certs/server.key",
    )
    certificate_names: tuple[str, ...] = setting(
        "ServerCertificateNames",
        "SERVER_CERTIFICATE_NAMES",
        hosts(),
        (),
        "Host names and addresses, besides this machine's own, that the certificate an ESS makes for itself is valid for.",
        example="edge-17.example.com,10.0.0.17",
    )
    minimum_tls: TlsVersion = setting(
        "MinimumTLSVersion",
        "MINIMUM_TLS_VERSION",
        choice(TlsVersion),
        TlsVersion.TLS_1_2,
        "Lowest version of TLS, of clients and towards the CSS.",
    )
    client_certificates: ClientCertificates = setting(
        "ClientCertificates",
        "CLIENT_CERTIFICATES",
        choice(ClientCertificates),
        ClientCertificates.OFF,
        "Whether TLS clients are asked for a certificate. On a CSS, off means that nodes cannot enrol; with required a "
        "node may enrol without one all the same, and health can be probed.",
    )
    client_authority: PemSource = setting(
        "ClientCACertificate",
        "CLIENT_CA_CERTIFICATE",
        pem(),
        PemSource(),
        "Authority of client certificates: PEM text (environment) or a path (relative: below PersistenceRootPath). A CSS "
        "trusts the authority of its nodes in any case.",
        example="sync/certs/clients-ca.pem",
    )
    read_header_timeout_seconds: int = setting(
        "HTTPServerReadHeaderTimeout",
        "HTTPServerReadHeaderTimeout",
        integer(1, 3600, unit="seconds"),
        60,
        "Time a client has to send the headers of a request.",
    )

    @property
    def serves_tls_over_tcp(self) -> bool:
        return self.type in _TLS_TCP

    @property
    def serves_plain_tcp(self) -> bool:
        return self.type in _PLAIN_TCP

    @property
    def serves_unix_socket(self) -> bool:
        return self.type in _UNIX

    @property
    def serves_tls(self) -> bool:
        return self.serves_tls_over_tcp or self.type is ListeningType.SECURE_UNIX

    @property
    def bind_host(self) -> str:
        """The address TCP listeners bind to."""
        return self.address or "0.0.0.0"  # noqa: S104 - documented: empty means all interfaces

    def socket_path(self, root: Path) -> Path:
        """The Unix socket; a relative one lies below `root`."""
        return absolute(root / self.address)

    @property
    def asks_for_certificates(self) -> bool:
        return self.serves_tls and self.client_certificates is not ClientCertificates.OFF

    def problems(self, program: Role, root: Path) -> Iterator[Problem]:
        yield from self._port_problems()
        if self.serves_unix_socket:
            yield from self._socket_problems(root)
        if self.serves_tls:
            yield from self._certificate_problems(program, root)
        yield from self._client_certificate_problems(program, root)

    def _port_problems(self) -> Iterator[Problem]:
        wanted = f"must not be 0 with ListeningType {self.type}; write a port from 1 to 65535"
        if self.serves_tls_over_tcp and self.secure_port == 0:
            yield Problem("SecureListeningPort", wanted)
        if self.serves_plain_tcp and self.unsecure_port == 0:
            yield Problem("UnsecureListeningPort", wanted)
        if self.type is ListeningType.BOTH and self.secure_port == self.unsecure_port != 0:
            yield Problem("UnsecureListeningPort", "is the port of the TLS listener too; write another one")

    def _socket_problems(self, root: Path) -> Iterator[Problem]:
        if not self.address:
            yield Problem(
                "ListeningAddress", f"is required with ListeningType {self.type}; write the path of the socket"
            )
            return
        path = self.socket_path(root)
        if not Path(self.address).is_absolute() and root not in path.parents:
            yield Problem("ListeningAddress", f"leads out of {root}; write an absolute path or one below it")
        if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
            yield Problem(
                "ListeningAddress", f"makes a path longer than {MAX_SOCKET_PATH_BYTES} bytes; write a shorter one"
            )

    def _certificate_problems(self, program: Role, root: Path) -> Iterator[Problem]:
        sources = {"ServerCertificate": self.certificate, "ServerKey": self.key}
        is_pair_needed = program is Role.CSS or any(sources.values())
        for key, source in sources.items():
            if not source:
                if is_pair_needed:
                    yield Problem(key, f"is required with ListeningType {self.type}; write a path or PEM text")
            elif source.is_missing(root):
                yield Problem(
                    key, f"names {source.path_below(root)}, which is not a file; write the path of a PEM file"
                )

    def _client_certificate_problems(self, program: Role, root: Path) -> Iterator[Problem]:
        if self.client_certificates is ClientCertificates.OFF:
            return
        if not self.serves_tls:
            yield Problem(
                "ClientCertificates", f"is {self.client_certificates}, which needs TLS; write ListeningType secure"
            )
        if self.client_authority.is_missing(root):
            path = self.client_authority.path_below(root)
            yield Problem("ClientCACertificate", f"names {path}, which is not a file; write the path of a PEM file")
        elif not self.client_authority and program is Role.ESS:
            yield Problem("ClientCACertificate", "is required with ClientCertificates; write a path or PEM text")
