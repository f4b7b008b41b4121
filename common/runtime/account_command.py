"""`… account add|list|remove`: who may call a node that keeps its accounts in its database."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager

from common.domain.names import is_valid_name
from common.domain.principals import Role
from common.runtime.authentication import secrets
from common.runtime.authentication.accounts import add_account
from common.runtime.clock import SystemClock
from common.runtime.settings import StartError
from common.sync.ports import Database
from common.sync.records import Account

SUMMARY = "Add, list and remove the accounts of applications and nodes."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="add an account, or replace one of the same key")
    add.add_argument("key", help="application key: the user name of HTTP Basic authentication")
    add.add_argument("--role", required=True, choices=[role.value for role in Role])
    add.add_argument("--org", default="", help="organization; only a sync admin has none")
    add.add_argument(
        "--identity", help="user name (default: the key); type/id of an edge node; serviceOrg/version/name"
    )
    add.add_argument(
        "--secret-stdin", action="store_true", help="read the secret from standard input instead of making a random one"
    )
    actions.add_parser("list", help="list the accounts; secrets are not stored and cannot be shown")
    remove = actions.add_parser("remove", help="remove an account")
    remove.add_argument("key")


def run(open_database: AbstractContextManager[Database], arguments: argparse.Namespace) -> int:
    """Perform one action; the exit status.

    Raises StartError, also from opening while the node runs on SQLite: that has one owner at a time.
    """
    with open_database as database:
        match arguments.action:
            case "add":
                return _add(database, arguments)
            case "list":
                return _list(database)
            case _:
                return _remove(database, arguments.key)


def _add(database: Database, arguments: argparse.Namespace) -> int:
    role = Role(arguments.role)
    identity = arguments.identity or arguments.key
    _check(role, arguments.org, identity)
    secret = sys.stdin.readline().rstrip("\n") if arguments.secret_stdin else secrets.generate()
    if not secret:
        raise StartError("The secret is empty.")
    now_ms = SystemClock().now_ms
    database.write(lambda uow: add_account(uow, arguments.key, role, arguments.org, identity, secret, now_ms))
    print(f"app key:    {arguments.key}")
    if not arguments.secret_stdin:
        print(f"app secret: {secret}\nThe secret is shown once; only its hash is stored.")
    return 0


def _check(role: Role, org: str, identity: str) -> None:
    if role is not Role.SYNC_ADMIN and not is_valid_name(org):
        raise StartError("--org is missing, or contains characters that are not allowed.")
    wanted_parts = {Role.EDGE_NODE: 2, Role.SERVICE: 3}.get(role, 1)
    parts = identity.split("/")
    if len(parts) != wanted_parts or not all(map(is_valid_name, parts)):
        form = {2: "type/id", 3: "serviceOrg/version/name"}.get(wanted_parts, "a user name")
        raise StartError(f"--identity of role {role.value} has to be {form}.")


def _list(database: Database) -> int:
    accounts = database.read(lambda uow: uow.accounts.list_all())
    for row in _table(accounts):
        print("  ".join(row).rstrip())
    return 0


def _table(accounts: list[Account]) -> Iterator[list[str]]:
    rows = [["KEY", "ROLE", "ORG", "IDENTITY"]]
    rows += [[a.app_key, a.role.value, a.org or "-", a.identity] for a in accounts]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        yield [text.ljust(width) for text, width in zip(row, widths, strict=True)]


def _remove(database: Database, key: str) -> int:
    if not database.write(lambda uow: uow.accounts.remove(key)):
        raise StartError(f"There is no account with the key {key}.")
    print(f"removed {key}")
    return 0
