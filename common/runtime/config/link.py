"""How edge and cloud talk to each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from common.runtime.setting_kinds import PemSource, boolean, choice, host, integer, pem, secret, text
from common.runtime.settings import CSS_ONLY, ESS_ONLY, Problem, Role, Secret, setting

#: What a long poll leaves of the request's time for connecting and answering.
_ANSWER_SECONDS = 5
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class CommunicationProtocol(StrEnum):
    """What carries messages between the nodes."""

    HTTP = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Link between the ESS and the CSS."""

    protocol: CommunicationProtocol = setting(
        "CommunicationProtocol",
        "COMMUNICATION_PROTOCOL",
        choice(CommunicationProtocol, refused=dict.fromkeys(("mqtt", "wiotp", "mqtt,http", "http,mqtt"), "http")),
        CommunicationProtocol.HTTP,
        "What carries messages between the nodes.",
    )
    css_host: str = setting(
        "HTTPCSSHost",
        "HTTP_CSS_HOST",
        host(),
        "",
        "Host name or address of the CSS, required.",
        roles=ESS_ONLY,
        example="css.example.com",
    )
    css_port: int = setting(
        "HTTPCSSPort",
        "HTTP_CSS_PORT",
        integer(0, 65535),
        0,
        "Port of the CSS, required.",
        roles=ESS_ONLY,
        example="443",
    )
    css_uses_tls: bool = setting(
        "HTTPCSSUseSSL", "HTTP_CSS_USE_SSL", boolean(), False, "Whether the CSS is reached with TLS.", roles=ESS_ONLY
    )
    css_ca_certificate: PemSource = setting(
        "HTTPCSSCACertificate",
        "HTTP_CSS_CA_CERTIFICATE",
        pem(),
        PemSource(),
        "Certificate authority of the CSS: PEM text (environment) or a path (relative: below PersistenceRootPath); "
        "empty trusts the system's authorities.",
        roles=ESS_ONLY,
        example="sync/certs/css-ca.pem",
    )
    css_app_key: str = setting(
        "CSSAppKey",
        "CSS_APP_KEY",
        text(),
        "",
        "Key this node presents to the CSS; empty means OrgID/DestinationType/DestinationID. "
        "With AuthenticationHandler preset, the key in sync/preset-auth.json is used instead.",
        roles=ESS_ONLY,
        example="myorg/camera/camera-17",
    )
    css_app_secret: Secret = setting(
        "CSSAppSecret",
        "CSS_APP_SECRET",
        secret(),
        Secret(),
        "Secret that goes with the key; hidden wherever settings are shown.",
        roles=ESS_ONLY,
    )
    poll_interval_seconds: int = setting(
        "HTTPPollingInterval",
        "HTTP_POLLING_INTERVAL",
        integer(1, 65535, unit="seconds"),
        10,
        "Longest pause between two polls of the CSS.",
        roles=ESS_ONLY,
    )
    poll_wait_seconds: int = setting(
        "HTTPPollWait",
        "HTTP_POLL_WAIT",
        integer(0, 100, unit="seconds"),
        50,
        "How long a poll may be held open until there is something to tell: an ESS asks for this, a CSS allows "
        "no more than this; 0 switches long polls off.",
    )
    control_timeout_seconds: int = setting(
        "HTTPESSClientTimeout",
        "HTTPESSClientTimeout",
        integer(1, 86400, unit="seconds"),
        120,
        "Time limit of a request to the CSS, object data excepted; a poll is held shorter than this.",
        roles=ESS_ONLY,
    )
    data_timeout_seconds: int = setting(
        "HTTPESSObjClientTimeout",
        "HTTPESSObjClientTimeout",
        integer(1, 86400, unit="seconds"),
        600,
        "Time limit of a request for object data.",
        roles=ESS_ONLY,
    )
    chunk_bytes: int = setting(
        "MaxDataChunkSize",
        "MAX_DATA_CHUNK_SIZE",
        integer(4 * 1024, 64 * 1024 * 1024, unit="bytes"),
        5 * 1024 * 1024,
        "Largest piece of object data in one message.",
    )
    downloads_per_cpu: int = setting(
        "HTTPCSSObjDownloadConcurrencyMultiplier",
        "HTTPCSSObjDownloadConcurrencyMultiplier",
        integer(1, 1024),
        16,
        "Downloads a CSS serves at once, as a multiple of its CPUs; one more is answered with 429. Downloads wait for "
        "the link rather than for a CPU, therefore not the 1 of the reference, which lets two nodes starve the others.",
        roles=CSS_ONLY,
    )

    @property
    def css_base_url(self) -> str:
        """The CSS's scheme, host and port."""
        scheme = "https" if self.css_uses_tls else "http"
        host = f"[{self.css_host}]" if ":" in self.css_host else self.css_host
        return f"{scheme}://{host}:{self.css_port}"

    @property
    def usable_poll_wait_seconds(self) -> int:
        """The long poll an ESS can ask for without running into its own time limit; 0 is an ordinary poll."""
        return max(0, min(self.poll_wait_seconds, self.control_timeout_seconds - _ANSWER_SECONDS))

    def problems(self, program: Role, root: Path) -> Iterator[Problem]:
        if program is Role.ESS:
            if not self.css_host:
                yield Problem("HTTPCSSHost", "is required on an ESS; write the host name of the CSS")
            if not self.css_port:
                yield Problem("HTTPCSSPort", "is required on an ESS; write the port of the CSS, such as 443")
            if self.css_uses_tls and self.css_ca_certificate.is_missing(root):
                path = self.css_ca_certificate.path_below(root)
                yield Problem(
                    "HTTPCSSCACertificate", f"names {path}, which is not a file; write the path of a PEM file"
                )

    def cautions(self) -> Iterator[Problem]:
        if self.css_uses_tls:
            return
        if self.css_ca_certificate:
            yield Problem("HTTPCSSCACertificate", "is not used without HTTPCSSUseSSL true")
        if self.css_app_secret and self.css_host not in _LOOPBACK:
            yield Problem("CSSAppSecret", "travels unencrypted; write HTTPCSSUseSSL true")
