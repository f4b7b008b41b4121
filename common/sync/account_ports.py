"""What is asked of stored application keys. Naming as in `ports`."""

from __future__ import annotations

from typing import Protocol

from common.sync.records import Account


class AccountStore(Protocol):
    """Who may call: application keys with hashed secrets."""

    def find(self, app_key: str, *, lock: bool = False) -> Account | None: ...

    def add(self, account: Account) -> bool:
        """Insert; False when the key is taken, and then nothing is changed."""
        ...

    def save(self, account: Account) -> None:
        """Insert or replace."""
        ...

    def remove(self, app_key: str) -> bool:
        """Whether there was one."""
        ...

    def list_all(self) -> list[Account]: ...

    def page_of_org(self, org: str, *, after: tuple[str, str], limit: int) -> list[Account]:
        """By role and key (byte order) beyond `after`. An empty `org` stands for accounts that belong to none."""
        ...

    def is_empty(self) -> bool: ...
