"""The configuration of an Edge Sync Service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.runtime.config.enrolment import Enrolment
from common.runtime.config.identity import Authentication, AuthenticationHandler, Identity
from common.runtime.config.limits import Limits
from common.runtime.config.link import Link
from common.runtime.config.listening import Listening
from common.runtime.config.load import Load
from common.runtime.config.log_output import Logging
from common.runtime.config.oidc import OidcSettings
from common.runtime.config.storage import Storage
from common.runtime.config.webhooks import WebhookSettings
from common.runtime.network_policy import LOCAL_NETWORKS
from common.runtime.settings import Problem, Role
from common.runtime.settings_reader import Loaded, read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class EssConfig:
    """Everything an operator can decide about an ESS, by concern; a node has no name by default."""

    identity: Identity
    authentication: Authentication = field(default_factory=Authentication)
    oidc: OidcSettings = field(default_factory=OidcSettings)
    listening: Listening
    storage: Storage = field(default_factory=Storage)
    link: Link
    enrolment: Enrolment = field(default_factory=Enrolment)
    webhooks: WebhookSettings = field(default_factory=lambda: WebhookSettings(allowed_networks=LOCAL_NETWORKS))
    limits: Limits = field(default_factory=Limits)
    load: Load = field(default_factory=Load)
    logging: Logging = field(default_factory=Logging)

    @property
    def database_path(self) -> Path:
        return self.storage.database_directory / "ess.sqlite3"

    @property
    def node_name(self) -> str:
        """What this node calls itself in its log."""
        return str(self.identity.node_key)

    @property
    def css_app_key(self) -> str:
        """The key presented to the CSS, unless a preset file says otherwise."""
        return self.link.css_app_key or str(self.identity.node_key)

    def problems(self) -> Iterator[Problem]:
        yield from self.identity.problems(Role.ESS)
        yield from self.oidc.problems(self.storage.root)
        yield from self.listening.problems(Role.ESS, self.storage.root)
        yield from self.storage.problems(Role.ESS)
        yield from self.link.problems(Role.ESS, self.storage.root)
        if self.enrolment.token and not self.link.css_uses_tls:
            yield Problem("EnrolmentToken", "needs TLS towards the CSS; write HTTPCSSUseSSL true")

    def cautions(self) -> Iterator[Problem]:
        yield from self.link.cautions()
        has_certificate = bool(self.enrolment.token) or self.storage.identity_directory.exists()
        has_secret = bool(self.link.css_app_secret) or (has_certificate and self.link.css_uses_tls)
        if self.authentication.handler is AuthenticationHandler.ACCOUNTS and not has_secret:
            yield Problem(
                "CSSAppSecret",
                "is empty, as is EnrolmentToken; only a CSS with AuthenticationHandler dummy accepts this node",
            )


def load_ess_config(path: Path | None, environ: Mapping[str, str], *, strict: bool = False) -> Loaded[EssConfig]:
    """Read the named file (the default file, if it exists, when None) and the environment.

    Raises ConfigError with everything that is wrong. With `strict`, an unknown key is wrong too.
    """
    reading = read_settings(Role.ESS, path, environ, strict=strict)
    config = EssConfig(
        identity=reading.build(Identity),
        authentication=reading.build(Authentication),
        oidc=reading.build(OidcSettings),
        listening=reading.build(Listening),
        storage=reading.build(Storage),
        link=reading.build(Link),
        enrolment=reading.build(Enrolment),
        webhooks=reading.build(WebhookSettings),
        limits=reading.build(Limits),
        load=reading.build(Load),
        logging=reading.build(Logging),
    )
    return reading.loaded(config, config.problems(), config.cautions())
