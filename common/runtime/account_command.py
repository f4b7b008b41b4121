"""`… account …`: who may call a node that keeps its accounts in its database."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

from common.domain.errors import SyncError
from common.domain.instants import format_instant, parse_instant_ms
from common.domain.principals import Role
from common.runtime.authentication import secrets
from common.runtime.clock import SystemClock
from common.runtime.settings import StartError
from common.sync.accounts import Accounts
from common.sync.audit import Actor, audited
from common.sync.ports import Database, UnitOfWork
from common.sync.records import Account

SUMMARY = "Add, list, rotate, revoke and remove the accounts of applications and nodes."

_OPERATOR = Actor("command line", "")

T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add an account, or replace one of the same key")
    add.add_argument("key", help="application key: the user name of HTTP Basic authentication")
    add.add_argument("--role", required=True, choices=[role.value for role in Role])
    add.add_argument("--org", default="", help="organization; only a sync admin has none")
    add.add_argument(
        "--identity", help="user name (default: the key); type/id of an edge node; serviceOrg/version/name"
    )
    add.add_argument("--expires", metavar="TIME", help="when it stops to count, such as 2031-01-01T00:00:00Z")
    _add_secret_argument(add)
    listing = actions.add_parser("list", help="list the accounts; secrets are not stored and cannot be shown")
    listing.add_argument("--org", help="only those of this organization; empty: those of none")
    rotate = actions.add_parser("rotate", help="give an account another secret")
    rotate.add_argument("key")
    rotate.add_argument(
        "--overlap",
        type=int,
        default=0,
        metavar="SECONDS",
        help="how long the present secret still counts (default: it stops at once)",
    )
    _add_secret_argument(rotate)
    revoke = actions.add_parser("revoke", help="end an account; its key stays taken")
    revoke.add_argument("key")
    remove = actions.add_parser("remove", help="remove an account; its key is free again")
    remove.add_argument("key")


def _add_secret_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--secret-stdin", action="store_true", help="read the secret from standard input instead of making a random one"
    )


def run(open_database: AbstractContextManager[Database], arguments: argparse.Namespace) -> int:
    """Perform one action; the exit status. Services on the same PostgreSQL database notice within a second.

    Raises StartError, also from opening while the node runs on SQLite: that has one owner at a time.
    """
    with open_database as database:
        command = _Command(database)
        match arguments.action:
            case "add":
                command.add(arguments)
            case "list":
                command.list(arguments.org)
            case "rotate":
                command.rotate(arguments)
            case "revoke":
                command.revoke(arguments.key)
            case _:
                command.remove(arguments.key)
    return 0


class _Command:
    """The actions. Each change is a transaction with its entry in the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._now_ms = SystemClock().now_ms
        self._accounts = Accounts(self._now_ms)

    def add(self, arguments: argparse.Namespace) -> None:
        secret = _secret(arguments)
        account = Account(
            arguments.key,
            Role(arguments.role),
            arguments.org,
            arguments.identity or arguments.key,
            secrets.hash_secret(secret),
            self._now_ms(),
            expires_at_ms=_expiry(arguments.expires),
        )
        self._change("account.create", account.org, account.app_key, lambda uow: self._accounts.put(uow, account))
        _show(account.app_key, None if arguments.secret_stdin else secret)

    def list(self, org: str | None) -> None:
        accounts = self._database.read(lambda uow: uow.accounts.list_all())
        for row in _table([each for each in accounts if org in (None, each.org)], self._now_ms()):
            print("  ".join(row).rstrip())

    def rotate(self, arguments: argparse.Namespace) -> None:
        key, secret = arguments.key, _secret(arguments)
        hashed = secrets.hash_secret(secret)
        self._change_existing(
            "account.rotate",
            key,
            lambda uow: self._accounts.rotate(uow, None, None, key, hashed, arguments.overlap),
        )
        _show(key, None if arguments.secret_stdin else secret)

    def revoke(self, key: str) -> None:
        self._change_existing("account.revoke", key, lambda uow: self._accounts.revoke(uow, None, None, key))
        print(f"revoked {key}")

    def remove(self, key: str) -> None:
        self._change_existing("account.remove", key, lambda uow: self._accounts.remove(uow, None, None, key))
        print(f"removed {key}")

    def _change_existing(self, action: str, key: str, work: Callable[[UnitOfWork], T]) -> T:
        found = self._database.read(lambda uow: uow.accounts.find(key))
        if found is None:
            raise StartError(f"There is no account with the key {key}.")
        return self._change(action, found.org, key, work)

    def _change(self, action: str, org: str, key: str, work: Callable[[UnitOfWork], T]) -> T:
        change = audited(work, _OPERATOR.did(self._now_ms(), org, action, key))
        try:
            return self._database.write(change)
        except SyncError as error:
            raise StartError(str(error)) from error


def _secret(arguments: argparse.Namespace) -> str:
    secret = sys.stdin.readline().rstrip("\n") if arguments.secret_stdin else secrets.generate()
    if not secret or "\0" in secret:
        raise StartError("The secret is empty, or contains a NUL.")
    return secret


def _expiry(text: str | None) -> int | None:
    try:
        return parse_instant_ms(text) if text else None
    except SyncError as error:
        raise StartError(f"--expires: {error}") from error


def _show(key: str, secret: str | None) -> None:
    print(f"app key:    {key}")
    if secret is not None:
        print(f"app secret: {secret}\nThe secret is shown once; only its hash is stored.")


def _table(accounts: list[Account], now_ms: int) -> Iterator[list[str]]:
    rows = [["KEY", "ROLE", "ORG", "IDENTITY", "STATE"]]
    rows += [[a.app_key, a.role.value, a.org or "-", a.identity, _state(a, now_ms)] for a in accounts]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield [text.ljust(width) for text, width in zip(row, widths, strict=True)]


def _state(account: Account, now_ms: int) -> str:
    if account.revoked_at_ms is not None:
        return f"revoked {format_instant(account.revoked_at_ms)}"
    if account.expires_at_ms is None:
        return "active"
    is_over = account.expires_at_ms <= now_ms
    return f"{'expired' if is_over else 'expires'} {format_instant(account.expires_at_ms)}"
