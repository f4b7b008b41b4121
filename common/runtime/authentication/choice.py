"""Which authenticator the configuration asks for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from common.runtime.authentication.accounts import AccountAuthenticator
from common.runtime.authentication.dummy import DummyAuthenticator, read_lists
from common.runtime.authentication.preset import PresetAuthenticator
from common.runtime.config.identity import AuthenticationHandler
from common.sync.authentication import Authenticator
from common.sync.ports import Database

log = logging.getLogger(__name__)

PRESET_FILE = Path("sync/preset-auth.json")
DUMMY_FILE = Path("sync/dummy-auth.json")


def choose_authenticator(
    handler: AuthenticationHandler | str, root: Path, database: Database, now_ms: Callable[[], int]
) -> Authenticator:
    """A handler that is no member of the enumeration names a plug-in. Raises StartError when it cannot be used."""
    match handler:
        case AuthenticationHandler.PRESET:
            return PresetAuthenticator(root / PRESET_FILE)
        case AuthenticationHandler.DUMMY:
            log.warning("dummy_authentication_lets_everybody_in")
            return DummyAuthenticator(read_lists(root / DUMMY_FILE))
        case AuthenticationHandler.ACCOUNTS:
            return AccountAuthenticator(database, now_ms)
        case name:
            from common.runtime.authentication import plug_in

            return plug_in.load(name, root)
