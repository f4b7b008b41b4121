"""Where clients reach this service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from common.runtime.setting_kinds import PemSource, absolute, choice, integer, octal_mode, pem, text
from common.runtime.settings import ESS_ONLY, Problem, Role, setting

#: `sun_path` of Linux, less its terminating zero.
MAX_SOCKET_PATH_BYTES = 107


class ListeningType(StrEnum):
    """Which listeners are opened."""

    SECURE = "secure"
    UNSECURE = "unsecure"
    BOTH = "both"
    UNIX = "unix"
    SECURE_UNIX = "secure-unix"


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
        "TLS, plain HTTP or both over TCP; on an ESS also a Unix socket, plain or with TLS.",
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
        roles=ESS_ONLY,
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

    def problems(self, program: Role, root: Path) -> Iterator[Problem]:
        yield from self._port_problems()
        if self.serves_unix_socket:
            yield from self._socket_problems(program, root)
        if self.serves_tls:
            yield from self._certificate_problems(program, root)

    def _port_problems(self) -> Iterator[Problem]:
        wanted = f"must not be 0 with ListeningType {self.type}; write a port from 1 to 65535"
        if self.serves_tls_over_tcp and self.secure_port == 0:
            yield Problem("SecureListeningPort", wanted)
        if self.serves_plain_tcp and self.unsecure_port == 0:
            yield Problem("UnsecureListeningPort", wanted)
        if self.type is ListeningType.BOTH and self.secure_port == self.unsecure_port != 0:
            yield Problem("UnsecureListeningPort", "is the port of the TLS listener too; write another one")

    def _socket_problems(self, program: Role, root: Path) -> Iterator[Problem]:
        if program is Role.CSS:
            yield Problem("ListeningType", f"is {self.type}, which an ESS only has; write secure, unsecure or both")
            return
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
