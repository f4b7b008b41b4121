"""What every ObjectStore promises."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from common.domain.errors import NotFound, TooLarge
from common.domain.ids import NodeKey, ObjectKey
from common.domain.metadata import Metadata, Policy, PolicyProperty, ServiceId
from common.domain.names import MAX_NAME_BYTES, is_valid_name
from common.domain.objects import ObjectStatus, Payload, SyncObject
from common.domain.selection import START, ListPosition, Selection
from common.sync.ports import Database, UnitOfWork
from tests.support.builders import INSTANCE, ORG, a_delivery, a_node, a_payload, a_reception, an_object, object_key
from tests.support.store_places import given

LARGEST_INTEGER = 2**63 - 1
ODD_NAMES = [
    "!@#$^*-_.~|",
    "..",
    "-",
    "日本語",
    "Ünïcödé",
    "٤٢",
    "Ⅷ",
    "½",
    "𝔘𝔫𝔦",
    "ﬁ",
    "NULL",
    "$1",
    "*",
]


def find(database: Database, key: ObjectKey) -> SyncObject | None:
    return database.read(lambda uow: uow.objects.find(key))


def ids_of_type(
    database: Database, *, statuses: set[ObjectStatus] | None = None, after: str = "", limit: int = 100
) -> list[str]:
    wanted = Selection(ORG, "model", statuses=frozenset(statuses) if statuses is not None else None)
    objects = database.read(lambda uow: uow.object_lists.page(wanted, ListPosition("model", after), limit))
    return [each.key.id for each in objects]


def test_an_object_is_found_as_it_was_saved(database: Database) -> None:
    saved = replace(
        an_object(
            "o1",
            ObjectStatus.COMPLETELY_RECEIVED,
            is_own=False,
            payload=Payload("name", 7, "ab" * 32, is_small=False),
            description='any text: "quoted", new\nline, <, %, \\, 🙂',
            destinations_list=["edge:n1", "edge:n2"],
        ),
        remaining_receivers=2,
        remaining_consumers=3,
    )
    given(database, saved)

    assert find(database, saved.key) == saved


def test_all_members_of_metadata_survive(database: Database) -> None:
    meta = Metadata(
        object_id="o1",
        object_type="model",
        destination_org_id=ORG,
        destination_policy=Policy(
            properties=[PolicyProperty("n", value, "t") for value in (None, True, 1.5, "text", [1, {"a": None}])],
            constraints=["a = b"],
            services=[ServiceId(ORG, "arm64", "service", "[1.0.0,2.0.0)")],
            timestamp=LARGEST_INTEGER,
        ),
        expiration="2031-01-01T00:00:00Z",
        version="1.0",
        description="d",
        link="https://example.org/",
        inactive=True,
        activation_time="2030-01-01T00:00:00Z",
        no_data=True,
        meta_only=True,
        destination_data_uri="file:///d",
        source_data_uri="file:///s",
        consumers=-7,
        autodelete=True,
        origin_id="o",
        origin_type="t",
        deleted=True,
        instance_id=1,
        data_id=2,
        object_size=3,
        chunk_size=4,
        upload_chunk_size=5,
        hash_algorithm="SHA256",
        public_key="cA==",
        signature="cw==",
        public=True,
        owner_id="acme/someone",
    )
    given(database, SyncObject(object_key("o1"), meta, ObjectStatus.READY, is_own=True))

    found = find(database, object_key("o1"))

    assert found is not None
    assert found.meta == meta


def test_numbers_of_64_bits_are_kept_exactly(database: Database) -> None:
    saved = an_object(
        instance=LARGEST_INTEGER,
        data_id=LARGEST_INTEGER - 1,
        object_size=2**53 + 1,
        payload=a_payload(size=2**53 + 1),
    )
    given(database, saved)

    assert find(database, saved.key) == saved


@pytest.mark.parametrize("name", ODD_NAMES)
def test_every_valid_name_can_be_an_organization_a_type_and_an_id(database: Database, name: str) -> None:
    assert is_valid_name(name)
    saved = an_object(ObjectKey(name, name, name))
    given(database, saved)

    assert find(database, saved.key) == saved
    assert database.read(lambda uow: uow.object_lists.page(Selection(name, name), START, 10)) == [saved]


def name_without_repetition(characters: int) -> str:
    """Of three bytes per character, which no index can make shorter."""
    return "".join(chr(0x4E00 + (number * 7919) % 20_000) for number in range(characters))


def test_all_names_of_a_delivery_may_be_of_500_bytes(database: Database) -> None:
    name = name_without_repetition(166)
    saved = an_object(ObjectKey(name, name, name))
    delivery = a_delivery(saved.key, NodeKey(name, name, name))

    given(database, saved, a_node(delivery.node), delivery, a_reception(saved.key, origin=delivery.node))

    assert find(database, saved.key) == saved
    assert database.read(lambda uow: uow.deliveries.list_of_node(delivery.node)) == [delivery]


def test_the_longest_names_are_stored_or_refused_as_too_large(database: Database) -> None:
    longest = name_without_repetition(MAX_NAME_BYTES).encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    assert is_valid_name(longest)
    saved = an_object(ObjectKey(longest, longest, longest))

    with contextlib.suppress(TooLarge):
        given(database, saved)

        assert find(database, saved.key) == saved


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a-b", "c", "d"), ("a", "b-c", "d")),
        (("a", "b", "c"), ("a", "c", "b")),
        (("o", "t", "A"), ("o", "t", "a")),
        (("o", "t", "K"), ("o", "t", "\N{KELVIN SIGN}")),
        (("o", "t", "ß"), ("o", "t", "ss")),
        (("o", "t", "1"), ("o", "t", "01")),
    ],
)
def test_keys_that_look_alike_are_different_objects(
    database: Database, one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    given(database, an_object(ObjectKey(*one), description="one"), an_object(ObjectKey(*other), description="other"))

    found = database.write(lambda uow: uow.objects.find_many([ObjectKey(*one), ObjectKey(*other)]))

    assert {key: each.meta.description for key, each in found.items()} == {one: "one", other: "other"}


def test_find_knows_nothing_of_what_was_never_saved(database: Database) -> None:
    assert find(database, object_key("absent")) is None


def test_find_with_a_lock_finds_the_same(database: Database) -> None:
    saved = an_object()
    given(database, saved)

    assert database.write(lambda uow: uow.objects.find(saved.key, lock=True)) == saved
    assert database.write(lambda uow: uow.objects.find(object_key("absent"), lock=True)) is None


def test_get_raises_not_found(database: Database) -> None:
    saved = an_object()
    given(database, saved)

    assert database.read(lambda uow: uow.objects.get(saved.key)) == saved
    with pytest.raises(NotFound):
        database.read(lambda uow: uow.objects.get(object_key("absent")))


def test_find_many_returns_those_that_exist(database: Database) -> None:
    saved = {each.key: each for each in (an_object("a"), an_object("b"), an_object("c"))}
    given(database, *saved.values())

    keys = [object_key("c"), object_key("absent"), object_key("a")]
    found = database.write(lambda uow: uow.objects.find_many(keys))

    assert found == {key: saved[key] for key in (object_key("a"), object_key("c"))}
    assert database.write(lambda uow: uow.objects.find_many([])) == {}


def test_find_many_takes_hundreds_of_keys(database: Database) -> None:
    saved = {each.key: each for each in (an_object(f"o{number}") for number in range(700))}
    database.write(lambda uow: uow.objects.save_many(list(saved.values())))

    assert database.write(lambda uow: uow.objects.find_many(list(saved))) == saved


def test_save_many_inserts_and_replaces(database: Database) -> None:
    given(database, an_object("old", ObjectStatus.NOT_READY, instance=1))
    fresh = [an_object("new", instance=2), an_object("old", payload=a_payload(), instance=3)]

    database.write(lambda uow: uow.objects.save_many(fresh))

    assert [find(database, each.key) for each in fresh] == fresh


def test_save_many_of_nothing_changes_nothing(database: Database) -> None:
    database.write(lambda uow: uow.objects.save_many([]))

    assert ids_of_type(database) == []


def test_a_replaced_object_keeps_nothing_of_its_former_self(database: Database) -> None:
    given(database, an_object(payload=a_payload(), description="before", destinations_list=["edge:n1"]))
    bare = an_object(status=ObjectStatus.NOT_READY)
    given(database, bare)

    assert find(database, bare.key) == bare


@pytest.mark.parametrize("is_own", [True, False], ids=["own", "copy"])
@pytest.mark.parametrize("keys", [["o1"], ["o2", "o1"]], ids=["alone", "with another"])
def test_an_object_that_was_missing_can_be_saved_twice_in_one_use_case(
    database: Database, is_own: bool, keys: list[str]
) -> None:
    first, second = (an_object("o1", is_own=is_own, description=text) for text in ("first", "second"))

    def create_then_change(uow: UnitOfWork) -> None:
        assert uow.objects.find_many([object_key(key) for key in keys]) == {}
        assert uow.objects.find(object_key("o1"), lock=True) is None
        uow.objects.save_many([first])
        assert uow.objects.find(object_key("o1"), lock=True) == first
        uow.objects.save_many([second])

    database.write(create_then_change)

    assert find(database, object_key("o1")) == second


def test_an_object_can_be_removed_and_saved_again_in_one_use_case(database: Database) -> None:
    given(database, an_object("o1", payload=a_payload(), destinations_list=["edge:n1"]))
    again = an_object("o1", description="again")

    def replace_it(uow: UnitOfWork) -> None:
        assert uow.objects.find(object_key("o1"), lock=True)
        uow.objects.remove(object_key("o1"))
        assert uow.objects.find(object_key("o1"), lock=True) is None
        uow.objects.save_many([again])

    database.write(replace_it)

    assert find(database, object_key("o1")) == again


def test_a_removed_object_is_gone(database: Database) -> None:
    given(database, an_object("a"), an_object("b"))

    database.write(lambda uow: uow.objects.remove(object_key("a")))

    assert ids_of_type(database) == ["b"]


def test_removing_what_is_not_there_is_harmless(database: Database) -> None:
    database.write(lambda uow: uow.objects.remove(object_key("absent")))


def test_a_list_is_in_byte_order(database: Database) -> None:
    in_order = ["!", "-", "1", "10", "2", "Z", "_", "a", "aa", "é", "Ж", "日", "ﬁ", "𝔘"]
    assert in_order == sorted(in_order, key=str.encode)
    given(database, *(an_object(name) for name in reversed(in_order)))

    assert ids_of_type(database) == in_order


def test_a_list_continues_beyond_a_name_that_need_not_exist(database: Database) -> None:
    given(database, *(an_object(name) for name in ("a", "b", "c", "Z", "é")))

    assert ids_of_type(database, after="a") == ["b", "c", "é"]
    assert ids_of_type(database, after="bb") == ["c", "é"]
    assert ids_of_type(database, after="é") == []


def test_pages_of_a_list_join_to_the_whole(database: Database) -> None:
    names = sorted((f"{number}x" for number in range(17)), key=str.encode)
    given(database, *(an_object(name) for name in names))

    pages: list[str] = []
    while page := ids_of_type(database, after=pages[-1] if pages else "", limit=5):
        assert len(page) <= 5
        pages += page

    assert pages == names


def test_a_list_has_only_the_statuses_asked_for(database: Database) -> None:
    given(database, *(an_object(f"{number:02}", status) for number, status in enumerate(ObjectStatus)))
    number_of = {status: f"{number:02}" for number, status in enumerate(ObjectStatus)}

    for status in ObjectStatus:
        assert ids_of_type(database, statuses={status}) == [number_of[status]]
    ready_or_deleted = {ObjectStatus.READY, ObjectStatus.DELETED}
    assert ids_of_type(database, statuses=ready_or_deleted) == sorted(number_of[status] for status in ready_or_deleted)
    assert ids_of_type(database, statuses=None) == sorted(number_of.values())
    assert ids_of_type(database, statuses=set()) == []


def test_the_limit_counts_matches_only(database: Database) -> None:
    given(database, *(an_object(f"a{number}", ObjectStatus.NOT_READY) for number in range(10)))
    given(database, an_object("z1"), an_object("z2"), an_object("z3"))

    assert ids_of_type(database, statuses={ObjectStatus.READY}, limit=2) == ["z1", "z2"]


def test_a_list_keeps_to_its_organization_and_type(database: Database) -> None:
    given(
        database,
        an_object("mine"),
        an_object(object_key("other-type", object_type="models")),
        an_object(object_key("other-org", org="acme2")),
    )

    assert ids_of_type(database) == ["mine"]


def test_own_objects_count_until_they_are_deleted(database: Database) -> None:
    assert database.read(lambda uow: uow.objects.count_own()) == 0

    given(
        database,
        an_object("ready"),
        an_object("not-ready", ObjectStatus.NOT_READY),
        an_object("deleted", ObjectStatus.DELETED),
        an_object("received", ObjectStatus.COMPLETELY_RECEIVED, is_own=False),
        an_object(object_key("elsewhere", org="other")),
    )

    assert database.read(lambda uow: uow.objects.count_own()) == 3


def test_consumed_own_objects_beyond_the_newest_are_listed(database: Database) -> None:
    consumed = ObjectStatus.CONSUMED_BY_DESTINATION
    given(database, *(an_object(name, status=consumed, instance=INSTANCE + n) for n, name in enumerate("abcde")))
    given(database, an_object("ready", instance=INSTANCE - 1))

    def listed(keep: int, limit: int) -> list[str]:
        found = database.read(lambda uow: uow.objects.list_consumed_by_destination(keep, limit))
        return [key.id for key in found]

    assert listed(keep=2, limit=10) == ["c", "b", "a"]
    assert listed(keep=2, limit=1) == ["c"]
    assert listed(keep=9, limit=10) == []
