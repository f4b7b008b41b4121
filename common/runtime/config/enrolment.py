"""Certificates of nodes."""

from __future__ import annotations

from dataclasses import dataclass

from common.runtime.setting_kinds import integer, secret
from common.runtime.settings import CSS_ONLY, ESS_ONLY, Secret, setting

_DAY_SECONDS = 24 * 3600
_LONGEST_SECONDS = 10 * 365 * _DAY_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Enrolment."""

    token: Secret = setting(
        "EnrolmentToken",
        "ENROLMENT_TOKEN",
        secret(),
        Secret(),
        "One-time token of this node, with which it gets its first certificate from the CSS; may be removed afterwards. "
        "A node that has a certificate presents no key and secret.",
        roles=ESS_ONLY,
    )
    token_seconds: int = setting(
        "EnrolmentTokenLifetime",
        "ENROLMENT_TOKEN_LIFETIME",
        integer(1, _LONGEST_SECONDS, unit="seconds"),
        7 * _DAY_SECONDS,
        "How long a new enrolment token can be used, unless whoever creates it says otherwise.",
        roles=CSS_ONLY,
    )
    certificate_seconds: int = setting(
        "NodeCertificateLifetime",
        "NODE_CERTIFICATE_LIFETIME",
        integer(2, _LONGEST_SECONDS, unit="seconds"),
        30 * _DAY_SECONDS,
        "How long a certificate of a node is good; nodes renew theirs at half of that.",
        roles=CSS_ONLY,
    )
    grace_seconds: int = setting(
        "NodeCertificateGrace",
        "NODE_CERTIFICATE_GRACE",
        integer(0, _LONGEST_SECONDS, unit="seconds"),
        90 * _DAY_SECONDS,
        "How long after its end a certificate can still be renewed, and nothing else, by a node that was away.",
        roles=CSS_ONLY,
    )
