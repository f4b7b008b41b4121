"""The configuration of an Edge Sync Service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.runtime.config.identity import Authentication, AuthenticationHandler, Identity
from common.runtime.config.limits import Limits
from common.runtime.config.link import Link
from common.runtime.config.listening import Listening
from common.runtime.config.log_output import Logging
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
    listening: Listening
    storage: Storage = field(default_factory=Storage)
    link: Link
    webhooks: WebhookSettings = field(default_factory=lambda: WebhookSettings(allowed_networks=LOCAL_NETWORKS))
    limits: Limits = field(default_factory=Limits)
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
        yield from self.listening.problems(Role.ESS, self.storage.root)
        yield from self.storage.problems(Role.ESS)
        yield from self.link.problems(Role.ESS, self.storage.root)

    def cautions(self) -> Iterator[Problem]:
        yield from self.link.cautions()
        if self.authentication.handler is AuthenticationHandler.ACCOUNTS and not self.link.css_app_secret:
            yield Problem("CSSAppSecret", "is empty; only a CSS with AuthenticationHandler dummy accepts this node")


def load_ess_config(path: Path | None, environ: Mapping[str, str], *, strict: bool = False) -> Loaded[EssConfig]:
    """Read the named file (the default file, if it exists, when None) and the environment.

    Raises ConfigError with everything that is wrong. With `strict`, an unknown key is wrong too.
    """
    reading = read_settings(Role.ESS, path, environ, strict=strict)
    config = EssConfig(
        identity=reading.build(Identity),
        authentication=reading.build(Authentication),
        listening=reading.build(Listening),
        storage=reading.build(Storage),
        link=reading.build(Link),
        webhooks=reading.build(WebhookSettings),
        limits=reading.build(Limits),
        logging=reading.build(Logging),
    )
    return reading.loaded(config, config.problems(), config.cautions())
