"""Authenticators that somebody else wrote: installed packages that announce one under `edgesync.authenticators`.

The entry point is called once at start with the persistence root and gives an object with one method:

    def authenticate(self, app_key: str, secret: str) -> Principal | None

It may block, and is called from several threads at once. None means that nobody is known by these credentials, as does
raising NotAuthenticated. Whatever else it raises or returns refuses the request as 503: a fault is never a pass. See
docs/accounts.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol, cast

from common.domain.accounts import is_identity
from common.domain.errors import NotAuthenticated, Unavailable
from common.domain.names import is_valid_name
from common.domain.principals import Principal, Role
from common.runtime.logs import fields
from common.runtime.settings import StartError
from common.sync.authentication import Identified

log = logging.getLogger(__name__)

GROUP = "edgesync.authenticators"

#: How long an answer is remembered: a plug-in cannot tell when it changes its mind.
_REMEMBERED_SECONDS = 30.0


class PlugIn(Protocol):
    """What an entry point makes."""

    def authenticate(self, app_key: str, secret: str) -> Principal | None: ...


def installed() -> dict[str, EntryPoint]:
    """By the name that the setting AuthenticationHandler has for it."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def load(name: str, root: Path) -> PlugInAuthenticator:
    """Raises StartError."""
    entry = installed().get(name)
    if entry is None:
        raise StartError(f"No installed package has an authenticator named {name} (entry point group {GROUP}).")
    try:
        plug_in = cast("Callable[[Path], Any]", entry.load())(root)
    except Exception as error:
        log.exception("authenticator_not_loaded", extra=fields(authenticator=name))
        raise StartError(f"The authenticator {name} cannot be loaded: {type(error).__name__}.") from error
    if not callable(getattr(plug_in, "authenticate", None)):
        raise StartError(f"The authenticator {name} has no method authenticate.")
    return PlugInAuthenticator(name, plug_in)


class PlugInAuthenticator:
    """The `Authenticator` around a plug-in, which is not trusted to keep its promises."""

    checks_secrets = True

    def __init__(self, name: str, plug_in: PlugIn) -> None:
        self._name = name
        self._plug_in = plug_in

    @property
    def cloud_credentials(self) -> tuple[str, str] | None:
        """Key and secret an edge presents to the cloud, if the plug-in has them."""
        found = getattr(self._plug_in, "cloud_credentials", None)
        return (str(found[0]), str(found[1])) if found else None

    def authenticate(self, app_key: str, secret: str) -> Identified:
        try:
            principal = self._plug_in.authenticate(app_key, secret)
        except NotAuthenticated:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it lets nobody in
            # Neither its message nor its traceback: both may show the secret.
            log.error("authenticator_failed", extra=fields(authenticator=self._name, error=type(error).__name__))
            raise Unavailable("The credentials cannot be checked right now; try again later.") from None
        if principal is None:
            raise NotAuthenticated
        if not _is_principal(principal):
            log.error("authenticator_failed", extra=fields(authenticator=self._name, error="no principal"))
            raise Unavailable("The credentials cannot be checked right now; try again later.")
        return Identified(principal, _REMEMBERED_SECONDS)

    def generation(self) -> Hashable:
        """Always the same."""
        return None


def _is_principal(found: object) -> bool:
    if not isinstance(found, Principal):
        return False
    # Types are only a promise of whoever wrote the plug-in.
    kinds: list[tuple[object, type]] = [(found.role, Role), (found.org, str), (found.identity, str)]
    if not all(isinstance(value, kind) for value, kind in kinds):
        return False
    has_org = found.org == "" if found.role is Role.SYNC_ADMIN else is_valid_name(found.org)
    return has_org and is_identity(found.role, found.identity)
