"""How much each organization may keep, unless it has a quota of its own."""

from __future__ import annotations

from dataclasses import dataclass

from common.runtime.setting_kinds import integer
from common.runtime.settings import CSS_ONLY, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSettings:
    """Quotas."""

    objects: int = setting(
        "MaxObjectsPerOrg",
        "MAX_OBJECTS_PER_ORG",
        integer(0, 10**12),
        0,
        "Most objects of an organization without a quota of its own; 0 sets no limit.",
        roles=CSS_ONLY,
    )
    payload_bytes: int = setting(
        "MaxPayloadMBPerOrg",
        "MAX_PAYLOAD_MB_PER_ORG",
        integer(0, 10**12, unit="MiB", scale=1024 * 1024),
        0,
        "Most data of all objects of an organization without a quota of its own; 0 sets no limit.",
        roles=CSS_ONLY,
    )
