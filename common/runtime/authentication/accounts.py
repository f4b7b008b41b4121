"""Accounts in the database: hashed application keys."""

from __future__ import annotations

from collections.abc import Callable

from common.domain.errors import NotAuthenticated
from common.domain.principals import Principal
from common.runtime.authentication.secrets import NOBODYS, ProvenSecrets
from common.sync.accounts import GENERATION
from common.sync.authentication import Identified
from common.sync.ports import Database
from common.sync.records import Account


class AccountAuthenticator:
    """Looks keys up in the account store; a changed account counts from the next look-up."""

    checks_secrets = True

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._proven = ProvenSecrets()

    def authenticate(self, app_key: str, secret: str) -> Identified:
        account = self._database.read(lambda uow: uow.accounts.find(app_key))
        now_ms = self._now_ms()
        until_ms = [account.expires_at_ms] if account else []
        is_right = self._proven.matches(secret, account.secret_hash if account else NOBODYS)
        if not is_right and account is not None and _has_previous(account, now_ms):
            is_right = self._proven.matches(secret, account.previous_secret_hash or NOBODYS)
            until_ms.append(account.previous_until_ms)
        if account is None or not is_right or account.revoked_at_ms is not None:
            raise NotAuthenticated
        left_ms = [at_ms - now_ms for at_ms in until_ms if at_ms is not None]
        if left_ms and min(left_ms) <= 0:
            raise NotAuthenticated
        principal = Principal(account.role, account.org, account.identity)
        return Identified(principal, min(left_ms) / 1000 if left_ms else None)

    def generation(self) -> int:
        return self._database.read(lambda uow: uow.counters.get(GENERATION))


def _has_previous(account: Account, now_ms: int) -> bool:
    return account.previous_secret_hash is not None and (account.previous_until_ms or 0) > now_ms
