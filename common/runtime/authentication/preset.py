"""The reference's preset file: `sync/preset-auth.json` under the persistence root, read once at start."""

from __future__ import annotations

import hmac
import json
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.domain.errors import NotAuthenticated
from common.domain.principals import Principal, Role
from common.runtime.settings import StartError

_ROLES = {role.value: role for role in (Role.ADMIN, Role.EDGE_NODE, Role.USER, Role.SYNC_ADMIN, Role.SERVICE)}


@dataclass(frozen=True, slots=True)
class _Credential:
    principal: Principal
    secret: str = field(repr=False)


class PresetAuthenticator:
    """Application keys of a file. Raises StartError for a file that cannot be used."""

    def __init__(self, path: Path) -> None:
        content = _read(path)
        entries = content.get("credentials") or {}
        if not isinstance(entries, dict):
            raise StartError(f"{path}: credentials has to be an object of application keys.")
        self._credentials = {key: _credential(path, key, entry) for key, entry in entries.items()}
        self._cloud_credentials = content.get("cssCredentials") or {}

    @property
    def cloud_credentials(self) -> tuple[str, str] | None:
        """Key and secret an edge presents to the cloud (`cssCredentials`)."""
        key, secret = self._cloud_credentials.get("key"), self._cloud_credentials.get("secret")
        return (str(key), str(secret or "")) if key else None

    def authenticate(self, app_key: str, secret: str) -> Principal:
        credential = self._credentials.get(app_key)
        expected = credential.secret if credential else ""
        is_right = hmac.compare_digest(secret.encode(), expected.encode())
        if credential is None or not is_right:
            raise NotAuthenticated
        return credential.principal


def _read(path: Path) -> dict[str, Any]:
    try:
        mode = path.stat().st_mode
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StartError(f"Cannot read the preset credentials {path}: {error}") from error
    if stat.S_IMODE(mode) & 0o007:
        raise StartError(f"{path} holds secrets but is open to everybody; run: chmod 600 {path}")
    if not isinstance(content, dict):
        raise StartError(f"{path} has to hold a JSON object.")
    return content


def _credential(path: Path, key: str, entry: Any) -> _Credential:
    if not isinstance(entry, dict):
        raise StartError(f"{path}: the entry of {key!r} has to be an object.")
    role = _ROLES.get(str(entry.get("type", "")).lower())
    if role is None:
        raise StartError(f"{path}: the type of {key!r} has to be one of {', '.join(sorted(_ROLES))}.")
    org, user = str(entry.get("orgID") or ""), str(entry.get("username") or "")
    return _Credential(Principal(role, org, user), str(entry.get("secret") or ""))
