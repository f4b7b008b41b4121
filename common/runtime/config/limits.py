"""What is refused because it is too large, and how long a stop may take."""

from __future__ import annotations

from dataclasses import dataclass

from common.runtime.setting_kinds import integer
from common.runtime.settings import setting

_KIB = 1024
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits."""

    object_request_bytes: int = setting(
        "MaxObjectRequestKB",
        "MAX_OBJECT_REQUEST_KB",
        integer(1, 1024 * 1024, unit="KiB", scale=_KIB),
        16384 * _KIB,
        "Largest JSON body of a request, with any payload inside it.",
    )
    metadata_bytes: int = setting(
        "MaxMetadataKB",
        "MAX_METADATA_KB",
        integer(1, 64 * 1024, unit="KiB", scale=_KIB),
        256 * _KIB,
        "Largest metadata of one object.",
    )
    payload_bytes: int = setting(
        "MaxObjectSizeMB",
        "MAX_OBJECT_SIZE_MB",
        integer(0, 1024 * 1024 * 1024, unit="MiB", scale=_MIB),
        0,
        "Largest payload of one object; 0 sets no limit.",
    )
    shutdown_seconds: int = setting(
        "ShutdownQuiesceTime",
        "SHUTDOWN_QUIESCE_TIME",
        integer(0, 3600, unit="seconds"),
        60,
        "Longest time a stop (SIGTERM) waits for requests and transfers under way.",
    )
