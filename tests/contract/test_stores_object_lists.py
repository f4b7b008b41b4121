"""What every ObjectListStore promises."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from common.domain.delivery import DeliveryState
from common.domain.ids import ObjectKey
from common.domain.metadata import Policy, PolicyProperty, ServiceId
from common.domain.objects import ObjectStatus, SyncObject
from common.domain.selection import START, ListPosition, PolicyService, Selection
from common.sync.object_lists import MOST_DESTINATIONS, Destination, ObjectListStore
from common.sync.ports import Database, UnitOfWork
from tests.support.builders import ORG, a_delivery, a_fan_out, an_object, object_key
from tests.support.store_places import given

EXPIRATION = "2031-01-01T00:00:00Z"
EXPIRATION_MS = 1_924_992_000_000
SERVICE = PolicyService("vendor", "detector")


def a_policy(
    timestamp: int = 1, *, services: tuple[PolicyService, ...] = (), properties: tuple[str, ...] = ()
) -> Policy:
    return Policy(
        [PolicyProperty(name) for name in properties],
        services=[ServiceId(service.org, "*", service.name, "1.0.0") for service in services],
        timestamp=timestamp,
    )


def ids(database: Database, selection: Selection, after: ListPosition = START, limit: int = 100) -> list[str]:
    found = database.read(lambda uow: uow.object_lists.page(selection, after, limit))
    return [item.key.id for item in found]


def test_objects_are_listed_by_type_and_id_in_byte_order(database: Database) -> None:
    keys = [("B", "x"), ("a", "Z"), ("a", "a"), ("a", "é"), ("a", "𝔘"), ("é", "1")]
    for object_type, object_id in keys[::-1]:
        given(database, an_object(object_key(object_id, object_type)))

    found = database.read(lambda uow: uow.object_lists.page(Selection(ORG), START, 100))

    assert [(item.key.type, item.key.id) for item in found] == keys


def test_a_page_is_what_comes_next(database: Database) -> None:
    given(database, *(an_object(object_key(f"o{number}", kind)) for kind in "ab" for number in range(3)))

    assert ids(database, Selection(ORG), limit=4) == ["o0", "o1", "o2", "o0"]
    assert ids(database, Selection(ORG), ListPosition("b", "o0")) == ["o1", "o2"]
    assert ids(database, Selection(ORG), ListPosition("a", "o2"), limit=1) == ["o0"]
    assert ids(database, Selection(ORG), ListPosition("a~")) == ["o0", "o1", "o2"]
    assert ids(database, Selection(ORG, "b"), ListPosition("a", "o1")) == ["o0", "o1", "o2"]
    assert ids(database, Selection(ORG, "b"), ListPosition("b", "o1")) == ["o2"]
    assert ids(database, Selection(ORG, "a"), ListPosition("b")) == []
    assert ids(database, Selection(ORG, "a", "o1"), ListPosition("a", "o1")) == []


def test_nothing_of_another_organization_is_listed(database: Database) -> None:
    given(database, an_object(ObjectKey("other", "model", "o1"), destination_policy=a_policy(), public=True))

    assert ids(database, Selection(ORG)) == []
    assert ids(database, Selection(ORG, has_policy=True)) == []
    assert ids(database, Selection("other", has_policy=True, is_public=True)) == ["o1"]


def test_terms_of_an_earlier_policy_find_nothing(database: Database) -> None:
    given(database, an_object(destination_policy=a_policy(services=(SERVICE, SERVICE), properties=("size", "size"))))
    by_service, by_property = Selection(ORG, policy_service=SERVICE), Selection(ORG, policy_property="size")
    assert ids(database, by_service) == ids(database, by_property) == ["o1"]

    given(database, an_object(destination_policy=a_policy(properties=("weight",))))
    assert ids(database, by_service) == ids(database, by_property) == []
    assert ids(database, Selection(ORG, policy_property="weight")) == ["o1"]

    given(database, an_object())
    assert ids(database, Selection(ORG, policy_property="weight")) == []

    given(database, an_object(destination_policy=a_policy(properties=("weight",))))
    database.write(lambda uow: uow.objects.remove(object_key()))
    given(database, an_object(destination_policy=a_policy()))
    assert ids(database, Selection(ORG, policy_property="weight")) == []


@pytest.mark.parametrize("name", ["x" * 10_000, "with \0 in it", "a/b", "\N{SNOWMAN}"])
def test_policies_may_mention_any_text(database: Database, name: str) -> None:
    service = PolicyService(name, name)
    given(database, an_object(destination_policy=a_policy(services=(service,), properties=(name,))))

    assert ids(database, Selection(ORG, policy_property=name)) == ["o1"]
    assert ids(database, Selection(ORG, policy_service=service)) == ["o1"]


def test_a_list_that_was_replaced_is_not_what_the_object_says(database: Database) -> None:
    given(database, an_object(destinations_list=["edge:n1", "edge:n2"], instance=1))
    given(database, an_object(destinations_list=["edge:n2"], instance=2))

    assert ids(database, Selection(ORG, destination_type="edge", destination_id="n1")) == []
    assert ids(database, Selection(ORG, destination_type="edge", destination_id="n2")) == ["o1"]
    given(database, an_object(instance=3))
    assert ids(database, Selection(ORG, destination_type="edge", destination_id="n2")) == []


def test_an_expiration_that_is_no_time_never_comes(database: Database) -> None:
    given(database, an_object(is_own=False, expiration="soon"))

    assert ids(database, Selection(ORG, expires_by_ms=EXPIRATION_MS)) == []


def test_every_selection_lists_exactly_what_it_includes(database: Database) -> None:
    objects = some_objects(200)
    given(database, *objects)

    def check(uow: UnitOfWork) -> None:
        for selection in some_selections():
            expected = sorted(item.key for item in objects if selection.includes(item))
            assert [item.key for item in all_pages(uow.object_lists, selection)] == expected, selection

    database.read(check)


def test_types_are_listed_once_in_byte_order(database: Database) -> None:
    names = ["B", "a", "a~", "é", "𝔘"]
    for name in names:
        given(database, *(an_object(object_key(f"o{number}", name), public=name > "b") for number in range(3)))
    given(database, an_object(ObjectKey("other", "c", "o1")))

    def types(after: str = "", limit: int = 10, *, is_public: bool = False) -> list[str]:
        return database.read(lambda uow: uow.object_lists.types(ORG, after, limit, is_public=is_public))

    assert types() == names
    assert types("a", 2) == ["a~", "é"]
    assert types(limit=1) == ["B"]
    assert types("𝔘") == []
    assert types(is_public=True) == ["é", "𝔘"]


def test_destinations_of_many_objects_come_in_the_order_of_their_destinations(database: Database) -> None:
    given(database, *(a_delivery(name, node) for node in ("n2", "n1") for name in ("o1", "o2", "o3")))

    found = database.read(lambda uow: uow.object_lists.destinations([object_key(i) for i in ("o2", "o1", "o9")]))

    expected = [Destination("edge", name, DeliveryState.PENDING, "") for name in ("n2", "n1")]
    assert found == {object_key("o1"): expected, object_key("o2"): expected}
    assert database.read(lambda uow: uow.object_lists.destinations([])) == {}


def test_very_many_destinations_are_not_looked_up_at_once(database: Database) -> None:
    half = MOST_DESTINATIONS // 2
    deliveries = [a_delivery(name, f"n{number}") for name in ("o1", "o2") for number in range(half)]
    database.write(lambda uow: uow.deliveries.save_many(deliveries))
    keys = [object_key("o1"), object_key("o2")]

    def count() -> int | None:
        found = database.read(lambda uow: uow.object_lists.destinations(keys))
        return None if found is None else sum(map(len, found.values()))

    assert count() == MOST_DESTINATIONS
    given(database, a_delivery("o3", "n0"), a_delivery("o2", "one more"))
    assert count() is None


def test_of_a_single_object_all_destinations_are_there(database: Database) -> None:
    count = MOST_DESTINATIONS + 1
    database.write(lambda uow: uow.deliveries.save_many([a_delivery("o1", f"n{number}") for number in range(count)]))

    found = database.read(lambda uow: uow.object_lists.destinations([object_key("o1")]))

    assert found is not None
    assert len(found[object_key("o1")]) == count


def test_objects_that_are_being_fanned_out_are_known(database: Database) -> None:
    given(database, a_fan_out("o1"), a_fan_out("o3"))
    keys = [object_key(name) for name in ("o1", "o2", "o3")]

    assert database.read(lambda uow: uow.object_lists.being_fanned_out(keys)) == {keys[0], keys[2]}
    assert database.read(lambda uow: uow.object_lists.being_fanned_out(keys[1:2])) == set()


def all_pages(store: ObjectListStore, selection: Selection) -> Iterator[SyncObject]:
    after: ListPosition | None = START
    while after is not None:
        page = store.page(selection, after, 7)
        yield from page
        after = ListPosition(page[-1].key.type, page[-1].key.id) if page else None


def some_objects(count: int) -> list[SyncObject]:
    """Of every kind, the same ones each time."""
    choose = random.Random(7).choice

    def policy() -> Policy:
        return a_policy(
            choose([1, 5, 9]),
            services=choose([(), (SERVICE,), (PolicyService("vendor", "other"),)]),
            properties=choose([(), ("size",), ("size", "weight")]),
        )

    def one(number: int) -> SyncObject:
        addressing: dict[str, Any] = choose(
            [
                {},
                {"destination_policy": policy()},
                {"destination_type": "edge"},
                {"destination_type": "edge", "destination_id": "n1"},
                {"destination_type": "camera", "destination_id": "n1"},
                {"destinations_list": ["edge:n1", "camera:c1"]},
                {"destinations_list": []},
            ]
        )
        item = an_object(
            object_key(f"o{number}", choose(["a", "b", "c"])),
            choose([ObjectStatus.READY, ObjectStatus.COMPLETELY_RECEIVED, ObjectStatus.DELETED]),
            is_own="destinations_list" in addressing or choose([True, False]),
            expiration=choose(["", EXPIRATION, "2030-12-31T23:59:59.999Z", "2031-01-01T03:00:00+02:00"]),
            no_data=choose([True, False]),
            public=choose([True, False, False]),
            **addressing,
        )
        return replace(item, is_policy_received=choose([True, False]))

    return [one(number) for number in range(count)]


def some_selections() -> list[Selection]:
    """Each condition with each other one, and with what callers are shown."""
    conditions: list[dict[str, object]] = [
        {},
        {"statuses": frozenset({ObjectStatus.DELETED, ObjectStatus.COMPLETELY_RECEIVED})},
        {"is_deleted": True},
        {"is_deleted": False},
        {"has_no_data": True},
        {"has_no_data": False},
        {"has_policy": True},
        {"has_policy": False},
        {"policy_since": 5},
        {"policy_service": SERVICE},
        {"policy_property": "size"},
        {"destination_type": "edge"},
        {"destination_type": "camera", "destination_id": "c1"},
        {"destination_type": "edge", "destination_id": "n1"},
        {"expires_by_ms": EXPIRATION_MS},
        {"is_policy_news": True},
        {"is_public": True},
    ]
    ranges: list[dict[str, object]] = [{}, {"type": "b"}, {"type": "b", "id": "o5"}]
    return [
        Selection(**{"org": ORG, **within, **first, **second})  # type: ignore[arg-type]
        for within, first, second in product(ranges, conditions, conditions)
        if not ("statuses" in first or "statuses" in second) or is_of_updated_list(first | second)
    ]


def is_of_updated_list(conditions: dict[str, object]) -> bool:
    """Statuses are asked for by the polling call alone."""
    return conditions.keys() <= {"statuses", "is_public"}
