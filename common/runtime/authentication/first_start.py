"""No default lets a stranger in: a database without accounts gets an administrator with a random secret."""

from __future__ import annotations

from common.domain.principals import Role
from common.runtime.authentication import secrets
from common.sync.ports import Database, UnitOfWork
from common.sync.records import Account

_APP_KEY = "admin"


def create_first_administrator(database: Database, role: Role, org: str, now_ms: int) -> str | None:
    """What to tell the operator, secret included, once; None when there are accounts already."""
    secret = secrets.generate()

    def create(uow: UnitOfWork) -> bool:
        if not uow.accounts.is_empty():
            return False
        uow.accounts.save(Account(_APP_KEY, role, org, _APP_KEY, secrets.hash_secret(secret), now_ms))
        return True

    if not database.write(create):
        return None
    whose = f"of organization {org}" if org else "of every organization"
    return (
        f"First start: an administrator {whose} was created. This is shown once.\n"
        f"  app key:    {_APP_KEY}\n"
        f"  app secret: {secret}"
    )
