"""What every OrganizationStore promises."""

from __future__ import annotations

import subprocess
import sys

import pytest
import sqlalchemy as sa

from common.domain.access_lists import AccessEntry, AccessRole, ListKind, UserType
from common.domain.chunks import Coverage
from common.domain.ids import ObjectKey
from common.domain.objects import Payload
from common.domain.organizations import Organization
from common.domain.principals import Role
from common.store.schema import metadata_of
from common.sync.access_lists import AccessList
from common.sync.organizations import Removal
from common.sync.ports import Database, UnitOfWork
from common.sync.records import Account, Upload
from tests.support.builders import (
    a_delivery,
    a_fan_out,
    a_node,
    a_payload,
    a_reception,
    an_object,
    node_key,
    object_key,
)
from tests.support.manual_clock import NOW_MS
from tests.support.store_places import given

ACME = Organization("acme", "user", "secret", "broker.example:1883")


def save(database: Database, *organizations: Organization) -> None:
    def save_all(uow: UnitOfWork) -> None:
        for organization in organizations:
            uow.organizations.save(organization)

    database.write(save_all)


def list_all(database: Database) -> list[Organization]:
    return database.read(lambda uow: uow.organizations.list_all())


def remove_belongings(database: Database, org: str = "acme", limit: int = 1000) -> Removal:
    return database.write(lambda uow: uow.organizations.remove_belongings(org, limit))


@pytest.mark.parametrize("organization", [ACME, Organization("bare")], ids=["all fields", "name only"])
def test_an_organization_is_found_as_it_was_saved(database: Database, organization: Organization) -> None:
    save(database, organization)

    assert database.read(lambda uow: uow.organizations.find(organization.org)) == organization
    assert database.read(lambda uow: uow.organizations.find("absent")) is None


def test_saving_again_replaces(database: Database) -> None:
    save(database, ACME, Organization("acme", address="elsewhere"))

    assert list_all(database) == [Organization("acme", address="elsewhere")]


def test_organizations_are_listed_by_name(database: Database) -> None:
    in_order = [Organization(name) for name in ("Z", "a", "b", "é")]
    save(database, *reversed(in_order))

    assert list_all(database) == in_order


def test_a_removed_organization_is_gone(database: Database) -> None:
    save(database, ACME, Organization("other"))

    database.write(lambda uow: uow.organizations.remove("acme"))
    database.write(lambda uow: uow.organizations.remove("acme"))

    assert list_all(database) == [Organization("other")]


def test_a_password_is_in_no_repr() -> None:
    assert "secret" not in repr(ACME)


def furnish(database: Database, org: str) -> None:
    """A row of every kind."""
    small, large = a_payload("small-" + org), a_payload("large-" + org, is_small=False)
    node = node_key("n1", org=org)
    first, second = object_key("o1", org=org), object_key("o2", org=org)
    given(
        database,
        a_node(node),
        an_object(first, payload=small, destinations_list=["edge:n1"]),
        an_object(second, payload=large),
        an_object(object_key("o3", org=org)),
        a_delivery(first, node),
        a_delivery(second, node),
        a_fan_out(second),
        a_reception(object_key("r1", org=org), origin=node, staged="received-" + org),
        a_reception(object_key("r2", org=org), origin=node),
        Upload(object_key("u1", org=org), "uploaded-" + org, 10, 10, Coverage(), NOW_MS),
        Account("key-" + org, Role.ADMIN, org, "ann", "scrypt$…", NOW_MS),
    )

    def more(uow: UnitOfWork) -> None:
        uow.payloads.save_small_many([(small.name, b"12345")])
        uow.access_lists.add(
            AccessList(org, ListKind.OBJECTS, "model"), [AccessEntry(UserType.USER, "ann", AccessRole.READER)]
        )
        uow.organizations.save(Organization(org))

    database.write(more)


def rows_of(uow: UnitOfWork, org: str) -> list[object]:
    """Whatever can be found of an organization."""
    node, first = node_key("n1", org=org), object_key("o1", org=org)
    keys: list[ObjectKey] = [object_key(name, org=org) for name in ("o1", "o2", "o3")]
    rows: list[object] = [
        *uow.nodes.list_of_org(org),
        *uow.objects.find_many(keys).values(),
        *uow.deliveries.list_of_node(node),
        *uow.deliveries.list_of_object(first),
        *uow.access_lists.list_keys(org, ListKind.OBJECTS),
        uow.fan_outs.find(object_key("o2", org=org)),
        uow.receptions.find(object_key("r1", org=org)),
        uow.receptions.find(object_key("r2", org=org)),
        uow.uploads.find(object_key("u1", org=org)),
    ]
    return [row for row in rows if row is not None]


def test_everything_of_an_organization_goes_and_nothing_of_another_one(database: Database) -> None:
    furnish(database, "acme")
    furnish(database, "acme2")
    before = database.read(lambda uow: rows_of(uow, "acme2"))

    removal = remove_belongings(database)

    assert database.read(lambda uow: rows_of(uow, "acme")) == []
    assert database.read(lambda uow: rows_of(uow, "acme2")) == before
    payloads = {each.name if isinstance(each, Payload) else each for each in removal.payloads}
    assert payloads == {"small-acme", "large-acme", "received-acme", "uploaded-acme"}
    assert remove_belongings(database) == Removal(0, [])


def test_the_registration_and_the_accounts_stay(database: Database) -> None:
    furnish(database, "acme")

    remove_belongings(database)

    assert list_all(database) == [Organization("acme")]
    assert database.read(lambda uow: uow.accounts.find("key-acme")) is not None


def test_a_page_is_never_larger_than_asked_for_and_a_smaller_one_is_the_last(database: Database) -> None:
    furnish(database, "acme")
    whole = remove_belongings(database)
    furnish(database, "acme")

    pages = [remove_belongings(database, limit=3)]
    while pages[-1].count == 3:
        pages.append(remove_belongings(database, limit=3))

    assert sum(page.count for page in pages) == whole.count
    assert {repr(p) for page in pages for p in page.payloads} == {repr(p) for p in whole.payloads}
    assert database.read(lambda uow: rows_of(uow, "acme")) == []


def test_nodes_go_first_and_objects_last(database: Database) -> None:
    furnish(database, "acme")

    remove_belongings(database, limit=1)
    assert database.read(lambda uow: uow.nodes.list_of_org("acme")) == []
    has_objects = False
    while database.read(lambda uow: rows_of(uow, "acme")):
        has_objects = bool(database.read(lambda uow: uow.objects.find(object_key("o3"))))
        assert remove_belongings(database, limit=1).count == 1

    assert has_objects


def test_an_unknown_organization_has_nothing(database: Database) -> None:
    furnish(database, "acme")

    assert remove_belongings(database, "acm") == Removal(0, [])


def test_nothing_is_forgotten_by_a_process_that_has_not_used_it() -> None:
    script = "from common.store.organizations import _removals; print(*[table.name for table, _ in _removals()])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    owned = {table.name for table in metadata_of("sqlite").sorted_tables if "org" in table.c}
    assert set(done.stdout.split()) == owned - {"accounts", "audit", "org_usage", "organizations", "quotas"}


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_every_table_says_whose_rows_are_or_is_known_not_to(engine: str) -> None:
    """What a table without an organization holds has to go with something else."""
    tables: list[sa.Table] = metadata_of(engine).sorted_tables
    without = {table.name for table in tables if "org" not in table.c}

    assert without <= {
        "node_authority",  # the cloud's own
        "small_payloads",  # with the objects that refer to them
        "discarded_payloads",  # collected by and by
        "payloads",
        "payload_chunks",
        "counters",
    }
