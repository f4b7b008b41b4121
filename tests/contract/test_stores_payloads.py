"""What every PayloadIndex promises."""

from __future__ import annotations

import pytest

from common.domain.chunks import Coverage
from common.domain.errors import NotFound
from common.domain.objects import Payload
from common.sync.ports import Database
from common.sync.records import Upload
from tests.support.builders import a_payload, a_reception, an_object, object_key
from tests.support.manual_clock import NOW_MS
from tests.support.store_places import given


def save(database: Database, **payloads: bytes) -> None:
    database.write(lambda uow: uow.payloads.save_small_many(list(payloads.items())))


def read(database: Database, name: str) -> bytes:
    return database.read(lambda uow: uow.payloads.read_small(name))


def discarded(database: Database, before_ms: int = NOW_MS + 1, limit: int = 100) -> list[str]:
    return database.read(lambda uow: uow.payloads.list_discarded(before_ms, limit))


@pytest.mark.parametrize(
    "data", [b"", b"\0", bytes(range(256)), b"\xff" * 32_768], ids=["empty", "NUL", "all bytes", "32 KiB"]
)
def test_small_payloads_are_read_as_they_were_saved(database: Database, data: bytes) -> None:
    save(database, one=data, other=b"other")

    assert read(database, "one") == data
    assert isinstance(read(database, "one"), bytes)
    assert read(database, "other") == b"other"


def test_reading_an_unknown_payload_raises_not_found(database: Database) -> None:
    with pytest.raises(NotFound):
        read(database, "absent")


def test_saving_nothing_changes_nothing(database: Database) -> None:
    database.write(lambda uow: uow.payloads.save_small_many([]))
    database.write(lambda uow: uow.payloads.discard_many([], NOW_MS))
    database.write(lambda uow: uow.payloads.forget_discarded([]))

    assert discarded(database) == []


def test_a_small_payload_goes_when_it_is_discarded(database: Database) -> None:
    save(database, gone=b"1", kept=b"2")

    database.write(lambda uow: uow.payloads.discard_many([a_payload("gone")], NOW_MS))

    with pytest.raises(NotFound):
        read(database, "gone")
    assert read(database, "kept") == b"2"
    assert discarded(database) == []


def test_a_large_payload_is_remembered_when_it_is_discarded(database: Database) -> None:
    save(database, small=b"1")

    payloads: list[Payload | str] = [a_payload("large", is_small=False), a_payload("small"), "staged"]
    database.write(lambda uow: uow.payloads.discard_many(payloads, NOW_MS))

    assert sorted(discarded(database)) == ["large", "staged"]


def test_a_payload_may_be_discarded_twice(database: Database) -> None:
    database.write(lambda uow: uow.payloads.discard_many(["twice", "twice"], NOW_MS))
    database.write(lambda uow: uow.payloads.discard_many([a_payload("twice", is_small=False)], NOW_MS))

    assert discarded(database) == ["twice"]


def test_discarded_payloads_are_listed_once_they_are_old_enough(database: Database) -> None:
    database.write(lambda uow: uow.payloads.discard_many(["early"], NOW_MS))
    database.write(lambda uow: uow.payloads.discard_many(["late"], NOW_MS + 10))

    assert discarded(database, before_ms=NOW_MS) == []
    assert discarded(database, before_ms=NOW_MS + 1) == ["early"]
    assert sorted(discarded(database, before_ms=NOW_MS + 11)) == ["early", "late"]


def test_the_list_of_discarded_payloads_is_bounded(database: Database) -> None:
    names = [f"p{number}" for number in range(9)]
    database.write(lambda uow: uow.payloads.discard_many(names, NOW_MS))

    page = discarded(database, limit=4)

    assert len(set(page)) == 4
    assert set(page) <= set(names)


def test_a_forgotten_payload_is_not_listed_again(database: Database) -> None:
    database.write(lambda uow: uow.payloads.discard_many(["a", "b", "c"], NOW_MS))

    database.write(lambda uow: uow.payloads.forget_discarded(["a", "c", "absent"]))

    assert discarded(database) == ["b"]


def test_objects_uploads_and_receptions_refer_to_payloads(database: Database) -> None:
    given(
        database,
        an_object("o1", payload=a_payload("of-object", is_small=False)),
        an_object("o2", payload=a_payload("small-of-object")),
        an_object("o3"),
        Upload(object_key("o4"), "of-upload", 10, 5, Coverage(), NOW_MS),
        a_reception("o5", staged="of-reception"),
        a_reception("o6", staged=""),
    )
    names = ["of-object", "small-of-object", "of-upload", "of-reception", "nobodys", ""]

    referenced = database.read(lambda uow: uow.payloads.referenced(names))

    assert referenced - {""} == {"of-object", "small-of-object", "of-upload", "of-reception"}
    assert database.read(lambda uow: uow.payloads.referenced(["of-upload"])) == {"of-upload"}
    assert database.read(lambda uow: uow.payloads.referenced([])) == set()


def test_a_payload_that_was_replaced_is_not_referred_to_any_more(database: Database) -> None:
    given(database, an_object("o1", payload=a_payload("old", is_small=False)))
    given(database, an_object("o1", payload=a_payload("new", is_small=False)))

    assert database.read(lambda uow: uow.payloads.referenced(["old", "new"])) == {"new"}
