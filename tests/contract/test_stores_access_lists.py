"""What every AccessListStore promises."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait

import pytest

from common.domain.access_lists import EVERYBODY, ORG_WIDE, AccessEntry, AccessRole, Grantee, Grants, ListKind, UserType
from common.sync.access_lists import AccessList
from common.sync.ports import Database, UnitOfWork

USER, NODE = UserType.USER, UserType.NODE
READER, WRITER, LISTED = AccessRole.READER, AccessRole.WRITER, AccessRole.NOT_APPLICABLE

MODELS = AccessList("acme", ListKind.OBJECTS, "model")
EVERY_TYPE = AccessList("acme", ListKind.OBJECTS, ORG_WIDE)
EDGES = AccessList("acme", ListKind.DESTINATIONS, "edge")

ANN = Grantee("acme", USER, "ann")


def reader(username: str, user_type: UserType = USER) -> AccessEntry:
    return AccessEntry(user_type, username, READER)


def writer(username: str, user_type: UserType = USER) -> AccessEntry:
    return AccessEntry(user_type, username, WRITER)


def listed(username: str, user_type: UserType = USER) -> AccessEntry:
    return AccessEntry(user_type, username, LISTED)


def add(database: Database, where: AccessList, *entries: AccessEntry) -> None:
    database.write(lambda uow: uow.access_lists.add(where, entries))


def remove(database: Database, where: AccessList, *users: tuple[UserType, str]) -> None:
    database.write(lambda uow: uow.access_lists.remove(where, users))


def entries(database: Database, where: AccessList, user_type: UserType | None = None) -> list[AccessEntry]:
    return database.read(lambda uow: uow.access_lists.list_entries(where, user_type))


def keys(database: Database, org: str = "acme", kind: ListKind = ListKind.OBJECTS) -> list[str]:
    return database.read(lambda uow: uow.access_lists.list_keys(org, kind))


def grants(database: Database, grantee: Grantee, object_type: str, *destination_types: str) -> Grants:
    return database.read(lambda uow: uow.access_lists.grants(grantee, object_type, destination_types))


def object_grants(database: Database, grantee: Grantee) -> Grants:
    return database.read(lambda uow: uow.access_lists.object_grants(grantee))


def test_entries_are_listed_by_user_type_and_name(database: Database) -> None:
    in_order = [reader("Z", NODE), reader("a", NODE), writer("*"), writer("Z"), reader("a"), reader("a b"), reader("é")]
    add(database, MODELS, *reversed(in_order))
    add(database, MODELS)

    assert entries(database, MODELS) == in_order
    assert entries(database, MODELS, NODE) == in_order[:2]
    assert entries(database, MODELS, USER) == in_order[2:]


def test_adding_again_replaces_the_role(database: Database) -> None:
    add(database, MODELS, reader("ann"), reader("bob"), reader("ann", NODE))
    add(database, MODELS, writer("ann"))

    assert entries(database, MODELS) == [reader("ann", NODE), writer("ann"), reader("bob")]


def test_the_last_of_two_entries_for_one_user_counts(database: Database) -> None:
    add(database, MODELS, reader("ann"), writer("ann"))

    assert entries(database, MODELS) == [writer("ann")]


def test_lists_of_other_organizations_kinds_and_keys_are_apart(database: Database) -> None:
    others = [
        AccessList("other", ListKind.OBJECTS, "model"),
        AccessList("acme", ListKind.DESTINATIONS, "model"),
        AccessList("acme", ListKind.OBJECTS, "models"),
        EVERY_TYPE,
    ]
    for number, where in enumerate([MODELS, *others]):
        add(database, where, reader(f"user{number}"))
    remove(database, MODELS, *[(USER, f"user{number}") for number in range(1, 5)])

    assert [entries(database, where) for where in [MODELS, *others]] == [[reader(f"user{n}")] for n in range(5)]
    assert keys(database) == ["*", "model", "models"]
    assert keys(database, kind=ListKind.DESTINATIONS) == ["model"]
    assert keys(database, "other") == ["model"]
    assert keys(database, "absent") == []


def test_a_list_is_gone_with_its_last_entry(database: Database) -> None:
    add(database, MODELS, reader("ann"), reader("bob"))

    remove(database, MODELS, (USER, "ann"), (NODE, "bob"), (USER, "nobody"))
    assert entries(database, MODELS) == [reader("bob")]

    remove(database, MODELS, (USER, "bob"))
    remove(database, MODELS, (USER, "bob"))
    assert (entries(database, MODELS), keys(database)) == ([], [])


@pytest.mark.parametrize("username", ["ann", EVERYBODY])
def test_grants_are_those_of_the_types_asked_for(database: Database, username: str) -> None:
    add(database, MODELS, writer(username))
    add(database, AccessList("acme", ListKind.OBJECTS, "film"), reader(username))
    add(database, EVERY_TYPE, reader(username))
    for key in ("edge", "camera", "unasked"):
        add(database, AccessList("acme", ListKind.DESTINATIONS, key), listed(username))

    found = grants(database, ANN, "model", "edge", "camera", "absent")

    assert found == Grants({"model": frozenset({WRITER}), "*": frozenset({READER})}, frozenset({"edge", "camera"}))
    assert grants(database, ANN, "absent") == Grants({"*": frozenset({READER})})


def test_grants_join_what_is_said_about_the_caller_and_about_everybody(database: Database) -> None:
    add(database, MODELS, writer("ann"), reader(EVERYBODY), writer("bob"))
    add(database, EDGES, listed(EVERYBODY))

    assert grants(database, ANN, "model", "edge") == Grants({"model": frozenset({READER, WRITER})}, frozenset({"edge"}))


def test_nothing_is_granted_to_namesakes(database: Database) -> None:
    add(database, MODELS, writer("ann"), writer("ANN"), writer("ann "), writer(EVERYBODY, NODE))
    add(database, EDGES, listed("ann"))
    add(database, EVERY_TYPE, writer("bob"))

    for other in (Grantee("other", USER, "ann"), Grantee("acme", USER, "an"), Grantee("acme", USER, "carl")):
        assert grants(database, other, "model", "edge") == Grants()
        assert object_grants(database, other) == Grants()
    assert grants(database, Grantee("acme", NODE, "ann"), "model", "edge") == Grants({"model": frozenset({WRITER})})


def test_object_grants_are_those_of_every_type(database: Database) -> None:
    add(database, MODELS, writer("ann"), reader("bob"))
    add(database, AccessList("acme", ListKind.OBJECTS, "film"), reader(EVERYBODY), writer("ann", NODE))
    add(database, AccessList("acme", ListKind.OBJECTS, "unlisted"), writer("bob"))
    add(database, EDGES, listed("ann"))

    assert object_grants(database, ANN) == Grants({"model": frozenset({WRITER}), "film": frozenset({READER})})

    add(database, EVERY_TYPE, reader("ann"))
    assert ORG_WIDE in object_grants(database, ANN).objects


def test_simultaneous_additions_are_all_kept(database: Database) -> None:
    users = [f"user{number:02}" for number in range(20)]

    def adding(user: str) -> Callable[[UnitOfWork], None]:
        return lambda uow: uow.access_lists.add(MODELS, [reader(user)])

    wait([database.submit(adding(user)) for user in users])

    assert [entry.username for entry in entries(database, MODELS)] == users


def test_a_long_list_is_added_and_removed_in_one_go(database: Database) -> None:
    users = [f"user{number:04}" for number in range(2000)]
    add(database, MODELS, *map(reader, users))
    assert [entry.username for entry in entries(database, MODELS)] == users

    remove(database, MODELS, *[(USER, user) for user in users[1:]])
    assert entries(database, MODELS) == [reader(users[0])]
