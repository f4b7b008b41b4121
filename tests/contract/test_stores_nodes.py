"""What every NodeStore and AccountStore promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from common.domain.ids import NodeKey
from common.domain.nodes import Node
from common.domain.principals import Role
from common.sync.ports import Database
from common.sync.records import Account
from tests.support.builders import a_node, node_key
from tests.support.manual_clock import NOW_MS
from tests.support.store_places import given

NODE = Node(
    node_key("n1"),
    communication="MQTT",
    code_version="2.0",
    is_persistent=False,
    capabilities=frozenset({"wait", "batch", "inline"}),
    registered_at_ms=NOW_MS - 1,
    last_seen_at_ms=NOW_MS,
)


def find(database: Database, key: NodeKey) -> Node | None:
    return database.read(lambda uow: uow.nodes.find(key))


@pytest.mark.parametrize("node", [NODE, a_node("bare")], ids=["all fields", "defaults"])
def test_a_node_is_found_as_it_was_saved(database: Database, node: Node) -> None:
    given(database, node)

    assert find(database, node.key) == node
    assert find(database, node_key("absent")) is None


def test_registering_again_replaces_the_node(database: Database) -> None:
    given(database, NODE)
    fresh = a_node("n1", registered_at_ms=NOW_MS + 1)
    given(database, fresh)

    assert find(database, NODE.key) == fresh


def test_a_sign_of_life_changes_only_when_the_node_was_last_seen(database: Database) -> None:
    other = a_node("n2", last_seen_at_ms=1)
    given(database, NODE, other)

    database.write(lambda uow: uow.nodes.touch(NODE.key, NOW_MS + 60_000))

    assert find(database, NODE.key) == replace(NODE, last_seen_at_ms=NOW_MS + 60_000)
    assert find(database, other.key) == other


def test_a_sign_of_life_does_not_register_anybody(database: Database) -> None:
    database.write(lambda uow: uow.nodes.touch(node_key("absent"), NOW_MS))

    assert find(database, node_key("absent")) is None


def test_a_removed_node_is_gone(database: Database) -> None:
    given(database, NODE, a_node("n2"))

    database.write(lambda uow: uow.nodes.remove(NODE.key))
    database.write(lambda uow: uow.nodes.remove(NODE.key))

    assert database.read(lambda uow: uow.nodes.list_of_org("acme")) == [a_node("n2")]


def test_nodes_of_an_organization_are_listed_in_key_order(database: Database) -> None:
    in_order = [node_key("z", "Z"), node_key("Z", "a"), node_key("a", "a"), node_key("é", "a"), node_key("a", "日")]
    given(database, *(a_node(key) for key in reversed(in_order)), a_node(node_key("n1", org="acme2")))

    assert [node.key for node in database.read(lambda uow: uow.nodes.list_of_org("acme"))] == in_order


def test_nodes_of_an_organization_come_in_pages(database: Database) -> None:
    in_order = [node_key("z", "Z"), node_key("Z", "a"), node_key("a", "a"), node_key("é", "a"), node_key("a", "日")]
    given(database, *(a_node(key) for key in in_order), a_node(node_key("n1", org="acme2")))

    def page(after: tuple[str, str], limit: int) -> list[NodeKey]:
        return [n.key for n in database.read(lambda uow: uow.nodes.page_of_org("acme", after=after, limit=limit))]

    assert page(("", ""), 2) == in_order[:2]
    assert page(("a", "Z"), 2) == in_order[2:4]
    assert page(("a", "b"), 9) == in_order[3:]
    assert page(("日", "a"), 9) == []


def test_keys_that_join_alike_are_different_nodes(database: Database) -> None:
    one, other = a_node(node_key("c", "a-b"), code_version="1"), a_node(node_key("b-c", "a"), code_version="2")
    given(database, one, other)

    assert (find(database, one.key), find(database, other.key)) == (one, other)


def test_existing_tells_who_is_registered(database: Database) -> None:
    given(database, NODE, a_node("n2"), a_node(node_key("n3", org="other")))

    def existing(*keys: NodeKey) -> set[NodeKey]:
        return database.read(lambda uow: uow.nodes.existing(keys))

    assert existing() == set()
    assert existing(node_key("n1"), node_key("n1", "camera"), node_key("n3")) == {node_key("n1")}
    assert existing(node_key("n2"), node_key("n3", org="other")) == {node_key("n2"), node_key("n3", org="other")}
    assert existing(*(node_key(f"n{number}") for number in range(700))) == {node_key("n1"), node_key("n2")}


def test_nodes_are_counted_by_organization_and_type(database: Database) -> None:
    given(database, a_node("n1"), a_node("n2"), a_node(node_key("c1", "camera")), a_node(node_key("n1", org="other")))

    def count(org: str | None = None, node_type: str | None = None) -> int:
        return database.read(lambda uow: uow.nodes.count(org, node_type))

    assert count() == 4
    assert count("acme") == 3
    assert count("acme", "edge") == 2
    assert count("acme", "absent") == 0
    assert count("absent") == 0


def test_locks_of_organizations_can_be_taken_alone_and_together(database: Database) -> None:
    database.write(lambda uow: uow.nodes.lock_org_shared([]))
    database.write(lambda uow: uow.nodes.lock_org_shared({"b", "a", "日本語"}))
    database.write(lambda uow: uow.nodes.lock_org("a"))


ACCOUNT = Account("key-1", Role.NODE_USER, "acme", "someone", "scrypt$…", NOW_MS)


def find_account(database: Database, app_key: str) -> Account | None:
    return database.read(lambda uow: uow.accounts.find(app_key))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"expires_at_ms": NOW_MS + 1, "revoked_at_ms": NOW_MS + 2, "rotated_at_ms": NOW_MS + 3},
        {"previous_secret_hash": "sha256$…", "previous_until_ms": NOW_MS + 4},
    ],
    ids=["plain", "ended", "rotated"],
)
def test_an_account_is_found_as_it_was_saved(database: Database, role: Role, terms: dict[str, Any]) -> None:
    saved = replace(ACCOUNT, role=role, **terms)
    given(database, saved)

    assert find_account(database, "key-1") == saved
    assert database.write(lambda uow: uow.accounts.find("key-1", lock=True)) == saved
    assert find_account(database, "KEY-1") is None


def test_saving_an_account_again_replaces_it(database: Database) -> None:
    given(database, ACCOUNT)
    fresh = replace(ACCOUNT, secret_hash="scrypt$changed", org="", role=Role.SYNC_ADMIN)
    given(database, fresh)

    assert database.read(lambda uow: uow.accounts.list_all()) == [fresh]


def test_accounts_are_listed_in_key_order(database: Database) -> None:
    in_order = ["1", "Z", "a", "a@b/c", "é"]
    given(database, *(replace(ACCOUNT, app_key=key) for key in reversed(in_order)))

    assert [account.app_key for account in database.read(lambda uow: uow.accounts.list_all())] == in_order


def test_an_added_account_takes_its_key(database: Database) -> None:
    assert database.write(lambda uow: uow.accounts.add(ACCOUNT))
    assert not database.write(lambda uow: uow.accounts.add(replace(ACCOUNT, org="other")))

    assert find_account(database, "key-1") == ACCOUNT


def test_accounts_of_an_organization_come_in_pages_by_role_and_key(database: Database) -> None:
    in_order = [
        *[replace(ACCOUNT, app_key=key, role=Role.ADMIN) for key in ("Z", "b", "é")],
        *[replace(ACCOUNT, app_key=key, role=Role.USER) for key in ("A", "a", "ß")],
    ]
    of_nobody = replace(ACCOUNT, app_key="root", org="", role=Role.SYNC_ADMIN)
    given(database, *reversed(in_order), of_nobody, replace(ACCOUNT, app_key="x", org="other"))

    def page(org: str, after: tuple[str, str] = ("", ""), limit: int = 100) -> list[Account]:
        return database.read(lambda uow: uow.accounts.page_of_org(org, after=after, limit=limit))

    assert page("acme") == in_order
    assert page("acme", ("admin", "b"), 2) == in_order[2:4]
    assert page("acme", ("user", "ß")) == []
    assert page("") == [of_nobody]


def test_removing_an_account_tells_whether_there_was_one(database: Database) -> None:
    given(database, ACCOUNT)

    assert database.write(lambda uow: uow.accounts.remove("key-1")) is True
    assert database.write(lambda uow: uow.accounts.remove("key-1")) is False
    assert find_account(database, "key-1") is None


def test_accounts_are_empty_until_there_is_one(database: Database) -> None:
    assert database.read(lambda uow: uow.accounts.is_empty())
    given(database, ACCOUNT)
    assert not database.read(lambda uow: uow.accounts.is_empty())
