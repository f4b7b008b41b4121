"""The settings of bearer tokens: what belongs together, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.domain.principals import Principal, Role
from common.runtime.config.oidc import SignatureAlgorithm
from common.runtime.settings import ConfigError
from css.config import CssConfig, load_css_config

ISSUER = {
    "OIDC_ISSUER": "https://login.example.com/realms/fleet",
    "OIDC_AUDIENCE": "edgesync",
    "OIDC_RULES": "g=ops -> syncadmin",
}


def load(tmp_path: Path, **variables: str) -> CssConfig:
    return load_css_config(None, {"PERSISTENCE_ROOT_PATH": str(tmp_path), **variables}).config


def test_no_provider_is_the_default(tmp_path: Path) -> None:
    assert load(tmp_path).oidc.issuer == ""


def test_rules_come_as_rules(tmp_path: Path) -> None:
    oidc = load(tmp_path, **ISSUER, OIDC_ALGORITHMS="eddsa, es256").oidc

    assert oidc.algorithms == (SignatureAlgorithm.EDDSA, SignatureAlgorithm.ES256)
    assert oidc.rules.principal({"g": "ops", "sub": "ann"}) == Principal(Role.SYNC_ADMIN, "", "ann")


@pytest.mark.parametrize(
    ("variables", "key"),
    [
        ({"OIDC_AUDIENCE": ""}, "OIDCAudience"),
        ({"OIDC_RULES": ""}, "OIDCRules"),
        ({"OIDC_RULES": "g=ops -> root"}, "OIDCRules"),
        ({"OIDC_ALGORITHMS": "none"}, "OIDCAlgorithms"),
        ({"OIDC_ALGORITHMS": "RS256,HS256"}, "OIDCAlgorithms"),
        ({"OIDC_ISSUER": "http://login.example.com"}, "OIDCIssuer"),
        ({"OIDC_CLOCK_SKEW": "601"}, "OIDCClockSkew"),
        ({"OIDC_CA_CERTIFICATE": "missing.pem"}, "OIDCCACertificate"),
    ],
)
def test_half_a_configuration_is_refused(tmp_path: Path, variables: dict[str, str], key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        load(tmp_path, **{**ISSUER, **variables})
