"""What every QuotaStore and UsageStore promises, and what organizations keep whatever becomes of their objects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from common.domain.errors import QuotaExceeded
from common.domain.ids import ObjectKey
from common.domain.objects import Payload
from common.domain.quotas import NOTHING, Quota, QuotaOverride, Usage
from common.sync.ports import Database, UnitOfWork
from common.sync.quotas import Quotas
from tests.support.builders import an_object, object_key
from tests.support.store_places import InMemory, Place, given

ACME = "acme"


def usage(database: Database, org: str = ACME) -> Usage:
    return database.read(lambda uow: uow.usage.of_org(org))


def drift(database: Database, org: str = ACME) -> Usage:
    return database.read(lambda uow: uow.usage.drift(org).usage)


def a_payload_of(size: int) -> Payload:
    return Payload(f"payload-{size}", size, "0" * 64, is_small=False)


def put(uow: UnitOfWork, key: ObjectKey, size: int = 0) -> None:
    uow.objects.find(key, lock=True)
    uow.objects.save_many([an_object(key, payload=a_payload_of(size) if size else None)])


def test_a_quota_is_found_as_it_was_saved(database: Database) -> None:
    database.write(lambda uow: uow.quotas.save("a", QuotaOverride(1, None)))
    database.write(lambda uow: uow.quotas.save("a", QuotaOverride(None, 2**40)))
    database.write(lambda uow: uow.quotas.save("b", QuotaOverride(0, 0)))
    database.write(lambda uow: uow.quotas.save("c", QuotaOverride()))
    database.write(lambda uow: uow.quotas.remove("b"))
    database.write(lambda uow: uow.quotas.remove("never saved"))

    assert database.read(lambda uow: uow.quotas.list_orgs()) == ["a", "c"]
    assert database.read(lambda uow: [uow.quotas.find(org) for org in "abc"]) == [
        QuotaOverride(None, 2**40),
        None,
        QuotaOverride(),
    ]


def test_usage_follows_what_becomes_of_objects(database: Database) -> None:
    one, two = object_key("one"), object_key("two")
    assert usage(database) == NOTHING

    database.write(lambda uow: put(uow, one, 100))
    database.write(lambda uow: put(uow, two))
    assert usage(database) == Usage(2, 100)

    database.write(lambda uow: put(uow, two, 30))
    database.write(lambda uow: put(uow, one, 40))
    assert usage(database) == Usage(2, 70)

    database.write(lambda uow: put(uow, one))
    database.write(lambda uow: uow.objects.remove(two))
    database.write(lambda uow: uow.objects.remove(two))
    assert usage(database) == Usage(1, 0)
    assert drift(database) == NOTHING


def test_what_was_not_looked_at_before_it_is_saved_counts_once(database: Database) -> None:
    given(database, an_object(object_key("one"), payload=a_payload_of(7)))
    given(database, an_object(object_key("one"), payload=a_payload_of(9)))

    assert usage(database) == Usage(1, 9)


def test_one_transaction_may_change_an_object_more_than_once(database: Database) -> None:
    key = object_key("one")

    def change(uow: UnitOfWork) -> None:
        put(uow, key, 5)
        uow.objects.save_many([an_object(key, payload=a_payload_of(8))])
        uow.objects.remove(key)
        uow.objects.save_many([an_object(key, payload=a_payload_of(3))])

    database.write(change)

    assert usage(database) == Usage(1, 3)
    assert drift(database) == NOTHING


def test_what_is_undone_is_not_counted(database: Database) -> None:
    def fail(uow: UnitOfWork) -> None:
        put(uow, object_key("one"), 5)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - our own
        database.write(fail)

    assert usage(database) == NOTHING


def test_organizations_are_counted_apart(database: Database) -> None:
    database.write(lambda uow: put(uow, ObjectKey("a", "t", "x"), 1))
    database.write(lambda uow: put(uow, ObjectKey("b", "t", "x"), 2))

    def both(uow: UnitOfWork) -> None:
        put(uow, ObjectKey("b", "t", "y"), 4)
        put(uow, ObjectKey("a", "t", "y"), 8)

    database.write(both)

    assert (usage(database, "a"), usage(database, "b")) == (Usage(2, 9), Usage(2, 6))
    assert database.read(lambda uow: [uow.usage.next_org(after) for after in ("", "a", "b")]) == ["a", "b", None]


def test_a_removed_organization_keeps_nothing_but_its_quota(database: Database) -> None:
    database.write(lambda uow: put(uow, object_key("one"), 5))
    database.write(lambda uow: put(uow, object_key("two"), 6))
    database.write(lambda uow: uow.quotas.save(ACME, QuotaOverride(1, 1)))

    while database.write(lambda uow: uow.organizations.remove_belongings(ACME, 1).count):
        pass

    assert usage(database) == NOTHING
    assert drift(database) == NOTHING
    assert database.read(lambda uow: uow.quotas.find(ACME)) == QuotaOverride(1, 1)


def test_those_who_publish_at_once_together_stay_within_the_quota(database: Database, place: Place) -> None:
    quotas = Quotas(Quota(objects=10))

    def publish(number: int) -> bool:
        def work(uow: UnitOfWork) -> None:
            key = object_key(f"m{number}")
            room = quotas.room(uow, [key.org])
            before = uow.objects.find(key, lock=True)
            item = an_object(key)
            room.take_object(before, item)
            uow.objects.save_many([item])

        try:
            database.write(work)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(6 if place.is_parallel else 1) as threads:
        published = sum(threads.map(publish, range(30)))

    assert published == 10
    assert usage(database) == Usage(10, 0)


def test_usage_that_is_wrong_is_corrected_once(database: Database, place: Place) -> None:
    """However many replicas find it wrong at the same time."""
    database.write(lambda uow: put(uow, object_key("one"), 5))
    seen = database.read(lambda uow: uow.usage.drift(ACME))
    assert seen.usage == NOTHING
    if isinstance(place, InMemory):
        return  # counts whenever it is asked

    database.write(lambda uow: uow.usage.correct(ACME, type(seen)(Usage(3, 4), seen.corrections)))
    assert usage(database) == Usage(4, 9)

    wrong = database.read(lambda uow: uow.usage.drift(ACME))
    assert wrong.usage == Usage(-3, -4)
    assert database.write(lambda uow: uow.usage.correct(ACME, wrong))
    assert not database.write(lambda uow: uow.usage.correct(ACME, wrong))
    assert usage(database) == Usage(1, 5)
