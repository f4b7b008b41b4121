"""Accounts in the database: hashed application keys."""

from __future__ import annotations

from collections.abc import Callable

from common.domain.errors import NotAuthenticated
from common.domain.principals import Principal, Role
from common.runtime.authentication import secrets
from common.sync.ports import Database, UnitOfWork
from common.sync.records import Account

#: Hashed when nobody has the key asked for, so that the time taken does not tell whether it exists.
_NOBODY = secrets.hash_secret(secrets.generate())


class AccountAuthenticator:
    """Looks keys up in the account store; a removed or changed account counts from the next look-up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def authenticate(self, app_key: str, secret: str) -> Principal:
        account = self._database.read(lambda uow: uow.accounts.find(app_key))
        is_right = secrets.matches(secret, account.secret_hash if account else _NOBODY)
        if account is None or not is_right:
            raise NotAuthenticated
        return Principal(account.role, account.org, account.identity)


def add_account(
    uow: UnitOfWork, app_key: str, role: Role, org: str, identity: str, secret: str, now_ms: Callable[[], int]
) -> None:
    """Insert or replace one account; only the hash of `secret` is stored."""
    uow.accounts.save(Account(app_key, role, org, identity, secrets.hash_secret(secret), now_ms()))
