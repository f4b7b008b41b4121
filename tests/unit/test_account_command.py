"""`… account …` on a database of its own: what it prints, what it stores, what it writes down."""

from __future__ import annotations

import argparse
import io
from contextlib import nullcontext

import pytest

from common.domain.errors import NotAuthenticated
from common.runtime import account_command
from common.runtime.authentication.accounts import AccountAuthenticator
from common.runtime.clock import SystemClock
from common.runtime.settings import StartError
from common.sync.ports import Database
from tests.support.memory_store import MemoryDatabase


@pytest.fixture
def database() -> Database:
    return MemoryDatabase(on_commit=lambda topics: None, clock=SystemClock())


def run(database: Database, *arguments: str) -> None:
    parser = argparse.ArgumentParser()
    account_command.add_arguments(parser)
    assert account_command.run(nullcontext(database), parser.parse_args(arguments)) == 0


def secret_in(printed: str) -> str:
    return next(line.split()[-1] for line in printed.splitlines() if line.startswith("app secret:"))


def is_right(database: Database, key: str, secret: str) -> bool:
    try:
        AccountAuthenticator(database, SystemClock().now_ms).authenticate(key, secret)
    except NotAuthenticated:
        return False
    return True


def add(database: Database, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    run(database, "add", "acme/app", "--role", "user", "--org", "acme", "--identity", "app", *more)
    return secret_in(capsys.readouterr().out)


def test_the_life_of_an_account(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    first = add(database, capsys)
    assert is_right(database, "acme/app", first)

    run(database, "rotate", "acme/app", "--overlap", "60")
    second = secret_in(capsys.readouterr().out)
    assert is_right(database, "acme/app", first)
    run(database, "rotate", "acme/app")
    third = secret_in(capsys.readouterr().out)
    assert [is_right(database, "acme/app", secret) for secret in (first, second, third)] == [False, False, True]

    run(database, "revoke", "acme/app")
    assert not is_right(database, "acme/app", third)
    run(database, "remove", "acme/app")
    capsys.readouterr()
    run(database, "list")
    assert "acme/app" not in capsys.readouterr().out

    entries = database.read(lambda uow: uow.audit.page_of_org("acme", before=None, limit=9))
    assert [each.entry.action for each in reversed(entries)] == [
        "account.create",
        "account.rotate",
        "account.rotate",
        "account.revoke",
        "account.remove",
    ]
    assert {each.entry.principal for each in entries} == {"command line"}


def test_the_list_tells_states_and_no_secrets(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    secret = add(database, capsys, "--expires", "2999-01-01T00:00:00Z")
    run(database, "add", "root", "--role", "syncadmin")
    run(database, "revoke", "root")
    capsys.readouterr()
    run(database, "list")
    rows = capsys.readouterr().out.splitlines()

    assert [row.split()[:4] for row in rows] == [
        ["KEY", "ROLE", "ORG", "IDENTITY"],
        ["acme/app", "user", "acme", "app"],
        ["root", "syncadmin", "-", "root"],
    ]
    assert "expires 2999-01-01T00:00:00Z" in rows[1]
    assert "revoked" in rows[2]
    assert secret not in "".join(rows)
    run(database, "list", "--org", "acme")
    assert "root" not in capsys.readouterr().out


def test_a_secret_of_ones_own_comes_from_standard_input(
    database: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("my own\n"))
    run(database, "add", "acme/app", "--role", "user", "--org", "acme", "--identity", "app", "--secret-stdin")

    assert "my own" not in capsys.readouterr().out
    assert is_right(database, "acme/app", "my own")


@pytest.mark.parametrize(
    "arguments",
    [
        ["add", "k", "--role", "user"],
        ["add", "k", "--role", "syncadmin", "--org", "acme"],
        ["add", "k", "--role", "edgenode", "--org", "acme", "--identity", "n1"],
        ["add", "a:b", "--role", "user", "--org", "acme", "--identity", "u"],
        ["add", "k", "--role", "user", "--org", "acme", "--expires", "soon"],
        ["rotate", "absent"],
        ["rotate", "absent", "--overlap", "-1"],
        ["revoke", "absent"],
        ["remove", "absent"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(database: Database, arguments: list[str]) -> None:
    with pytest.raises(StartError) as caught:
        run(database, *arguments)

    assert str(caught.value)
    assert database.read(lambda uow: uow.accounts.is_empty())
    assert database.read(lambda uow: uow.audit.page_of_org("acme", before=None, limit=9)) == []
