"""The use cases about accounts: they are created, get other secrets, and end.

Whatever takes something away changes the generation of accounts in the same transaction; every replica notices it, at
once by a wake-up or a moment later by looking.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from common.domain import accounts
from common.domain.errors import AlreadyExists, Forbidden, InvalidRequest, NotFound
from common.domain.principals import Principal
from common.sync import wakeups
from common.sync.ports import UnitOfWork
from common.sync.records import Account

#: The counter that is another one after each change that takes something away.
GENERATION = "accounts"

#: The longest time for which two secrets of one key may count.
LONGEST_OVERLAP_SECONDS = 30 * 24 * 3600


class Accounts:
    """Each method is one transaction. `by` is who asks for it; None is the operator on the command line, who may do all."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms

    def create(self, uow: UnitOfWork, by: Principal | None, account: Account) -> None:
        """Raises InvalidRequest, Forbidden, AlreadyExists."""
        accounts.check_account(account.app_key, account.role, account.org, account.identity)
        _check_may_manage(by, account)
        if account.expires_at_ms is not None and account.expires_at_ms <= self._now_ms():
            raise InvalidRequest("The account would have expired already.")
        if not uow.accounts.add(account):
            raise AlreadyExists("There is an account with this key.")

    def put(self, uow: UnitOfWork, account: Account) -> None:
        """Create it, or replace what has its key. Raises InvalidRequest."""
        accounts.check_account(account.app_key, account.role, account.org, account.identity)
        uow.accounts.save(account)
        self._tell(uow)

    def rotate(
        self,
        uow: UnitOfWork,
        by: Principal | None,
        org: str | None,
        app_key: str,
        secret_hash: str,
        overlap_seconds: int,
    ) -> Account:
        """Another secret; the present one counts for `overlap_seconds` more. What became of it.

        Raises NotFound, Forbidden; InvalidRequest for a revoked account or an overlap that is too long.
        """
        account = _get(uow, by, org, app_key)
        if account.revoked_at_ms is not None:
            raise InvalidRequest("The account is revoked.")
        if not 0 <= overlap_seconds <= LONGEST_OVERLAP_SECONDS:
            raise InvalidRequest(f"The overlap has to be 0 to {LONGEST_OVERLAP_SECONDS} seconds.")
        now_ms = self._now_ms()
        rotated = replace(
            account,
            secret_hash=secret_hash,
            rotated_at_ms=now_ms,
            previous_secret_hash=account.secret_hash if overlap_seconds else None,
            previous_until_ms=now_ms + overlap_seconds * 1000 if overlap_seconds else None,
        )
        uow.accounts.save(rotated)
        self._tell(uow)
        return rotated

    def revoke(self, uow: UnitOfWork, by: Principal | None, org: str | None, app_key: str) -> Account:
        """It counts no more; its key stays taken. Raises NotFound, Forbidden. Again is fine."""
        account = _get(uow, by, org, app_key)
        if account.revoked_at_ms is None:
            account = replace(account, revoked_at_ms=self._now_ms(), previous_secret_hash=None, previous_until_ms=None)
            uow.accounts.save(account)
            self._tell(uow)
        return account

    def remove(self, uow: UnitOfWork, by: Principal | None, org: str | None, app_key: str) -> None:
        """It is gone, and its key free. Raises NotFound, Forbidden."""
        _get(uow, by, org, app_key)
        uow.accounts.remove(app_key)
        self._tell(uow)

    def _tell(self, uow: UnitOfWork) -> None:
        # Not one more than before: two transactions at once would both make the same of it.
        uow.counters.set(GENERATION, uow.next_instances(1)[0])
        uow.wake(wakeups.ACCOUNTS)


def _get(uow: UnitOfWork, by: Principal | None, org: str | None, app_key: str) -> Account:
    """The account, locked; of that organization, or of any if that is None. Whether others have such a key is not told."""
    account = uow.accounts.find(app_key, lock=True)
    if account is None or org not in (None, account.org):
        raise NotFound
    _check_may_manage(by, account)
    return account


def _check_may_manage(by: Principal | None, account: Account) -> None:
    if by is not None and not accounts.may_manage(by, account.role, account.org):
        raise Forbidden
