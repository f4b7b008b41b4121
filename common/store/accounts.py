"""Who may call."""

from __future__ import annotations

import sqlalchemy as sa

from common.domain.principals import Role
from common.store.session import Row, Session
from common.store.statements import Statement, matching, upsert
from common.store.tables import accounts
from common.sync.records import Account

_COLUMNS = list(accounts.columns)

_FIND = Statement(sa.select(*_COLUMNS).where(matching(accounts, "app_key")))
_SAVE = upsert(accounts, "app_key")
_REMOVE = Statement(sa.delete(accounts).where(matching(accounts, "app_key")))
_LIST = Statement(sa.select(*_COLUMNS).order_by(accounts.c.app_key))
_EXISTS = Statement(sa.select(sa.exists().select_from(accounts)))


class SqlAccounts:
    """The `AccountStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, app_key: str) -> Account | None:
        row = self._session.fetch_one(_FIND, {"app_key": app_key})
        return _account_of(row) if row else None

    def save(self, account: Account) -> None:
        row = {
            "app_key": account.app_key,
            "role": account.role.value,
            "org": account.org,
            "identity": account.identity,
            "secret_hash": account.secret_hash,
            "created_at_ms": account.created_at_ms,
        }
        self._session.run_many(_SAVE, [row])

    def remove(self, app_key: str) -> bool:
        return self._session.run(_REMOVE, {"app_key": app_key}) > 0

    def list_all(self) -> list[Account]:
        return [_account_of(row) for row in self._session.fetch(_LIST, {})]

    def is_empty(self) -> bool:
        row = self._session.fetch_one(_EXISTS, {})
        return row is None or not row[0]


def _account_of(row: Row) -> Account:
    app_key, role, org, identity, secret_hash, created_at_ms = row
    return Account(app_key, Role(role), org, identity, secret_hash, created_at_ms)
