"""The reference's preset file: `sync/preset-auth.json` under the persistence root, read again when it changes."""

from __future__ import annotations

import hmac
import json
import logging
import os
import stat
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from common.domain.errors import NotAuthenticated
from common.domain.principals import Principal, Role
from common.runtime.logs import fields
from common.runtime.settings import StartError
from common.sync.authentication import Identified

log = logging.getLogger(__name__)

_ROLES = {role.value: role for role in (Role.ADMIN, Role.EDGE_NODE, Role.USER, Role.SYNC_ADMIN, Role.SERVICE)}

#: Of one state of the file: time of its last change, its mode included; size; number.
Stamp: TypeAlias = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class _Credential:
    principal: Principal
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Content:
    """What one state of the file says."""

    stamp: Stamp
    credentials: Mapping[str, _Credential]
    cloud_credentials: tuple[str, str] | None = field(repr=False)


class PresetAuthenticator:
    """Application keys of a file. Raises StartError for a file that cannot be used.

    A file that changes counts at once, as a whole. While it cannot be used, what it said before stays in force.
    """

    checks_secrets = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = _read(path)
        self._looked_at = self._content.stamp
        self._lock = threading.Lock()

    @property
    def cloud_credentials(self) -> tuple[str, str] | None:
        """Key and secret an edge presents to the cloud (`cssCredentials`)."""
        return self._content.cloud_credentials

    def authenticate(self, app_key: str, secret: str) -> Identified:
        credential = self._content.credentials.get(app_key)
        expected = credential.secret if credential else ""
        is_right = hmac.compare_digest(secret.encode(), expected.encode())
        if credential is None or not is_right:
            raise NotAuthenticated
        return Identified(credential.principal)

    def generation(self) -> Stamp:
        """Reads the file if it has changed."""
        with self._lock:
            if (stamp := _stamp_of(self._path)) != self._looked_at:
                self._looked_at = stamp
                self._read_again()
            return self._content.stamp

    def _read_again(self) -> None:
        try:
            self._content = _read(self._path)
        except StartError as error:
            log.error("preset_credentials_not_reloaded", extra=fields(reason=str(error)))
        else:
            log.info("preset_credentials_reloaded", extra=fields(keys=len(self._content.credentials)))


def _read(path: Path) -> _Content:
    """Raises StartError."""
    try:
        # A pipe would keep whoever opens it waiting, a device never end.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise StartError(f"{path} has to be a regular file.")
            if stat.S_IMODE(status.st_mode) & 0o007:
                raise StartError(f"{path} holds secrets but is open to everybody; run: chmod 600 {path}")
            content = json.loads(file.read())
    except (OSError, ValueError, RecursionError) as error:
        raise StartError(f"Cannot read the preset credentials {path}: {error}") from error
    if not isinstance(content, dict):
        raise StartError(f"{path} has to hold a JSON object.")
    entries = content.get("credentials")
    entries = {} if entries is None else entries
    if not isinstance(entries, dict):
        raise StartError(f"{path}: credentials has to be an object of application keys.")
    credentials = {key: _credential(path, key, entry) for key, entry in entries.items()}
    return _Content(_stamp(status), credentials, _cloud_credentials(path, content.get("cssCredentials")))


def _credential(path: Path, key: str, entry: Any) -> _Credential:
    if not isinstance(entry, dict):
        raise StartError(f"{path}: the entry of {key!r} has to be an object.")
    role = _ROLES.get(str(entry.get("type", "")).lower())
    if role is None:
        raise StartError(f"{path}: the type of {key!r} has to be one of {', '.join(sorted(_ROLES))}.")
    org, user = str(entry.get("orgID") or ""), str(entry.get("username") or "")
    return _Credential(Principal(role, org, user), str(entry.get("secret") or ""))


def _cloud_credentials(path: Path, entry: Any) -> tuple[str, str] | None:
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise StartError(f"{path}: cssCredentials has to be an object.")
    key, secret = entry.get("key"), entry.get("secret")
    return (str(key), str(secret or "")) if key else None


def _stamp_of(path: Path) -> Stamp:
    try:
        return _stamp(path.stat())
    except OSError:
        return None


def _stamp(status: os.stat_result) -> Stamp:
    return (status.st_ctime_ns, status.st_size, status.st_ino)
