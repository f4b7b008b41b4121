"""The reference's development authenticator: the shape of the key decides, secrets are not looked at.

Works only when asked for by name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from common.domain.errors import NotAuthenticated
from common.domain.principals import Principal, Role
from common.runtime.settings import StartError
from common.sync.authentication import Identified


@dataclass(frozen=True, slots=True)
class DummyLists:
    """The lists of `sync/dummy-auth.json`; empty without the file."""

    regular_users: frozenset[str] = frozenset()
    sync_admins: frozenset[str] = frozenset()
    exchange_admins: frozenset[str] = frozenset()


def read_lists(path: Path) -> DummyLists:
    """Raises StartError for a file that is there but cannot be used."""
    if not path.exists():
        return DummyLists()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        lists = [
            frozenset(map(str, content.get(name) or ())) for name in ("regularUsers", "syncAdmins", "exchangeAdmins")
        ]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise StartError(f"Cannot read {path}: {error}") from error
    return DummyLists(*lists)


class DummyAuthenticator:
    """For development only."""

    checks_secrets = False

    def __init__(self, lists: DummyLists) -> None:
        self._lists = lists

    def authenticate(self, app_key: str, secret: str) -> Identified:
        principal = self._by_shape(app_key)
        if principal is None or (principal.role is not Role.SYNC_ADMIN and not principal.org) or not principal.identity:
            raise NotAuthenticated
        return Identified(principal)

    def generation(self) -> None:
        """Its lists are read once."""

    def _by_shape(self, key: str) -> Principal | None:
        if key.count("/") == 2:
            org, identity = key.split("/", 1)
            return Principal(Role.EDGE_NODE, org, identity) if all(key.split("/")) else None
        if key.count("/") == 1:
            org, user = key.split("/")
            role = Role.ADMIN if user in self._lists.exchange_admins else Role.OBJECT_ADMIN
            return Principal(role, org, user)
        if key.count("$") == 3:
            org, service_org, version, name = key.split("$")
            return Principal(Role.SERVICE, org, f"{service_org}/{version}/{name}")
        if "%" in key:
            node, _, org = key.partition("%")
            return Principal(Role.NODE_USER, org, node)
        user, at, org = key.rpartition("@")
        return self._person(user, org) if at else None

    def _person(self, user: str, org: str) -> Principal:
        if user in self._lists.sync_admins:
            return Principal(Role.SYNC_ADMIN, "", user)
        role = Role.USER if user in self._lists.regular_users else Role.ADMIN
        return Principal(role, org, user)
