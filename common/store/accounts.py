"""Who may call."""

from __future__ import annotations

import sqlalchemy as sa

from common.domain.principals import Role
from common.store.session import Row, Session
from common.store.statements import NO_OFFSET, RowLock, Statement, matching, parameter, upsert
from common.store.tables import HAS_ROLE, accounts
from common.sync.records import Account

_COLUMNS = list(accounts.columns)
_NAMES = [column.name for column in _COLUMNS]
_OF_KEY = matching(accounts, "app_key")

_FIND = Statement(sa.select(*_COLUMNS).where(_OF_KEY))
_FIND_LOCKED = Statement(sa.select(*_COLUMNS).where(_OF_KEY), lock=RowLock(accounts))
_ADD = upsert(accounts, "app_key", is_replacing=False)
_SAVE = upsert(accounts, "app_key")
_REMOVE = Statement(sa.delete(accounts).where(_OF_KEY))
_LIST = Statement(sa.select(*_COLUMNS).order_by(accounts.c.app_key))
_PAGE = Statement(
    sa.select(*_COLUMNS)
    .where(
        matching(accounts, "org"),
        HAS_ROLE,
        sa.tuple_(accounts.c.role, accounts.c.app_key)
        > sa.tuple_(parameter("after_role", sa.Text), parameter("after_key", sa.Text)),
    )
    .order_by(accounts.c.role, accounts.c.app_key)
    .limit(parameter("limit"))
    .offset(NO_OFFSET)
)
_EXISTS = Statement(sa.select(sa.exists().select_from(accounts)))


class SqlAccounts:
    """The `AccountStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, app_key: str, *, lock: bool = False) -> Account | None:
        row = self._session.fetch_one(_FIND_LOCKED if lock else _FIND, {"app_key": app_key})
        return _account_of(row) if row else None

    def add(self, account: Account) -> bool:
        return self._session.run_many(_ADD, [_row_of(account)]) > 0

    def save(self, account: Account) -> None:
        self._session.run_many(_SAVE, [_row_of(account)])

    def remove(self, app_key: str) -> bool:
        return self._session.run(_REMOVE, {"app_key": app_key}) > 0

    def list_all(self) -> list[Account]:
        return [_account_of(row) for row in self._session.fetch(_LIST, {})]

    def page_of_org(self, org: str, *, after: tuple[str, str], limit: int) -> list[Account]:
        role, app_key = after
        values = {"org": org, "after_role": role, "after_key": app_key, "limit": limit}
        return [_account_of(row) for row in self._session.fetch(_PAGE, values)]

    def is_empty(self) -> bool:
        row = self._session.fetch_one(_EXISTS, {})
        return row is None or not row[0]


def _row_of(account: Account) -> dict[str, object]:
    return {name: getattr(account, name) for name in _NAMES} | {"role": account.role.value}


def _account_of(row: Row) -> Account:
    values = dict(zip(_NAMES, row, strict=True))
    return Account(**values | {"role": Role(values["role"])})
