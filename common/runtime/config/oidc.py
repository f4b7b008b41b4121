"""Bearer tokens of an OpenID Connect provider, beside the accounts of the service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from common.domain.claims import BadRule, ClaimRules, parse_rules
from common.runtime.setting_kinds import PemSource, choice, choices, integer, pem, quoted, text
from common.runtime.settings import BadValue, Kind, Problem, setting


class SignatureAlgorithm(StrEnum):
    """How tokens may be signed: with a key that only the provider has, and by nothing that is about to be broken."""

    RS256 = "RS256"
    PS256 = "PS256"
    ES256 = "ES256"
    EDDSA = "EdDSA"


def claim_rules() -> Kind[ClaimRules]:
    """Rules from claims to roles."""

    def parse(text: str) -> ClaimRules:
        try:
            return parse_rules(text)
        except BadRule as error:
            raise BadValue(f"cannot be used: {error}") from error

    return Kind(
        parse=parse,
        show=lambda rules: rules.text,
        expects="rules such as groups={org}:admins -> admin org={org} (several with semicolons)",
        takes_empty=True,
    )


def issuer_url() -> Kind[str]:
    """A URL that nobody between us and the provider can answer for, or nothing."""

    def parse(text: str) -> str:
        if text and not is_trustworthy(text):
            raise BadValue(f"is {quoted(text)}, which is no https URL without user, query and fragment")
        return text

    return Kind(parse=parse, show=str, expects="an https URL", takes_empty=True)


def is_trustworthy(url: str) -> bool:
    """https, or plain http on this very machine; no user, query or fragment."""
    try:
        parts = urlsplit(url)
        return _is_private(parts) and not (parts.query or parts.fragment or parts.username or parts.port == 0)
    except ValueError:
        return False


def _is_private(parts: SplitResult) -> bool:
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """Bearer tokens (OpenID Connect)."""

    issuer: str = setting(
        "OIDCIssuer",
        "OIDC_ISSUER",
        issuer_url(),
        "",
        "Provider whose tokens are accepted as Authorization: Bearer, exactly as its tokens name it; empty accepts none.",
        example="https://login.example.com/realms/fleet",
    )
    audience: str = setting(
        "OIDCAudience",
        "OIDC_AUDIENCE",
        text(),
        "",
        "What a token's aud has to be or contain; required with OIDCIssuer.",
        example="edgesync",
    )
    rules: ClaimRules = setting(
        "OIDCRules",
        "OIDC_RULES",
        claim_rules(),
        ClaimRules(),
        "Who the bearer of a token is: claim=pattern -> role org=… user=…; several with semicolons, the first that fits "
        "decides, none refuses.",
        example="groups=sync-operators -> syncadmin; groups={org}:admins -> admin org={org} user={email}",
    )
    algorithms: tuple[SignatureAlgorithm, ...] = setting(
        "OIDCAlgorithms",
        "OIDC_ALGORITHMS",
        choices(choice(SignatureAlgorithm)),
        tuple(SignatureAlgorithm),
        "How tokens may be signed.",
    )
    clock_skew_seconds: int = setting(
        "OIDCClockSkew",
        "OIDC_CLOCK_SKEW",
        integer(0, 600, unit="seconds"),
        30,
        "By how much the clocks of provider and service may differ.",
    )
    keys_kept_seconds: int = setting(
        "OIDCKeysKept",
        "OIDC_KEYS_KEPT",
        integer(1, 24 * 30, unit="hours", scale=3600),
        24 * 3600,
        "How long the provider's keys stay in use while it cannot be reached; otherwise they are fetched every 5 minutes.",
    )
    ca_certificate: PemSource = setting(
        "OIDCCACertificate",
        "OIDC_CA_CERTIFICATE",
        pem(),
        PemSource(),
        "Certificate authority of the provider: PEM text (environment) or a path (relative: below PersistenceRootPath); "
        "empty trusts the system's authorities.",
        example="sync/certs/oidc-ca.pem",
    )

    def problems(self, root: Path) -> Iterator[Problem]:
        if not self.issuer:
            return
        if not self.audience:
            yield Problem(
                "OIDCAudience", "is required with OIDCIssuer: without it a token for another service would do"
            )
        if not self.rules.rules:
            yield Problem("OIDCRules", "is required with OIDCIssuer: without it no token would let anybody in")
        if self.ca_certificate.is_missing(root):
            yield Problem("OIDCCACertificate", f"is {self.ca_certificate}, where there is no file")
