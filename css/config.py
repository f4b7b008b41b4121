"""The configuration of a Cloud Sync Service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.runtime.config.enrolment import Enrolment
from common.runtime.config.identity import Authentication, Identity
from common.runtime.config.limits import Limits
from common.runtime.config.link import Link
from common.runtime.config.listening import Listening
from common.runtime.config.load import Load
from common.runtime.config.log_output import Logging
from common.runtime.config.oidc import OidcSettings
from common.runtime.config.quotas import QuotaSettings
from common.runtime.config.storage import Storage
from common.runtime.config.webhooks import WebhookSettings
from common.runtime.settings import Problem, Role
from common.runtime.settings_reader import Loaded, read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class CssConfig:
    """Everything an operator can decide about a CSS, by concern."""

    identity: Identity = field(default_factory=Identity)
    authentication: Authentication = field(default_factory=Authentication)
    oidc: OidcSettings = field(default_factory=OidcSettings)
    listening: Listening = field(default_factory=Listening)
    storage: Storage = field(default_factory=Storage)
    link: Link = field(default_factory=Link)
    enrolment: Enrolment = field(default_factory=Enrolment)
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    limits: Limits = field(default_factory=Limits)
    load: Load = field(default_factory=Load)
    quotas: QuotaSettings = field(default_factory=QuotaSettings)
    logging: Logging = field(default_factory=Logging)

    @property
    def database_path(self) -> Path:
        """The database file, when the storage is SQLite."""
        return self.storage.database_directory / "css.sqlite3"

    @property
    def node_name(self) -> str:
        """What this node calls itself in its log."""
        return f"css/{self.identity.org_id}" if self.identity.org_id else "css"

    def problems(self) -> Iterator[Problem]:
        yield from self.identity.problems(Role.CSS)
        yield from self.oidc.problems(self.storage.root)
        yield from self.listening.problems(Role.CSS, self.storage.root)
        yield from self.storage.problems(Role.CSS)
        yield from self.link.problems(Role.CSS, self.storage.root)

    def cautions(self) -> Iterator[Problem]:
        yield from self.storage.cautions()


def load_css_config(path: Path | None, environ: Mapping[str, str], *, strict: bool = False) -> Loaded[CssConfig]:
    """Read the named file (the default file, if it exists, when None) and the environment.

    Raises ConfigError with everything that is wrong. With `strict`, an unknown key is wrong too.
    """
    reading = read_settings(Role.CSS, path, environ, strict=strict)
    config = CssConfig(
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
        quotas=reading.build(QuotaSettings),
        logging=reading.build(Logging),
    )
    return reading.loaded(config, config.problems(), config.cautions())
