"""What every Database promises about its transactions, whichever stores they use."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from common.domain.chunks import Coverage
from common.domain.errors import InvalidRequest, NotFound
from common.domain.principals import Role
from common.sync.ports import Database, UnitOfWork
from common.sync.records import Account, Upload
from tests.support.builders import (
    INSTANCE,
    a_delivery,
    a_fan_out,
    a_node,
    a_payload,
    a_reception,
    an_object,
    an_opening,
    everyone,
    node_key,
    object_key,
)
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.store_places import WAIT_SECONDS, Record, Wakeups, given, save_record

OpenDatabase = Callable[[], Database]
durable = pytest.mark.parametrize(
    "place", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)

UPLOAD = Upload(object_key("o1"), "staged", 10, 5, Coverage(), NOW_MS)
ACCOUNT = Account("key", Role.ADMIN, "acme", "someone", "hash", NOW_MS)
ONE_OF_EACH: list[Record] = [
    an_object("o1", payload=a_payload()),
    a_node("n1"),
    a_delivery("o1", "n1"),
    a_fan_out("o1"),
    a_reception("o2"),
    UPLOAD,
    ACCOUNT,
]


class GivenUp(Exception):
    """Raised by the use cases of these tests."""


def everything(uow: UnitOfWork) -> dict[str, object]:
    """What the stores hold of the keys used here."""
    return {
        "object": uow.objects.find(object_key("o1")),
        "node": uow.nodes.find(node_key("n1")),
        "deliveries": uow.deliveries.list_of_object(object_key("o1")),
        "fan-out": uow.fan_outs.find(object_key("o1")),
        "reception": uow.receptions.find(object_key("o2")),
        "upload": uow.uploads.find(object_key("o1")),
        "accounts": uow.accounts.list_all(),
        "discarded": uow.payloads.list_discarded(NOW_MS + 1, 10),
        "small": small_payload(uow, "p1"),
    }


def small_payload(uow: UnitOfWork, name: str) -> bytes | None:
    try:
        return uow.payloads.read_small(name)
    except NotFound:
        return None


def save_one_of_each(uow: UnitOfWork) -> None:
    for record in ONE_OF_EACH:
        save_record(uow, record)
    uow.payloads.save_small_many([("p1", b"data")])
    uow.payloads.discard_many(["staged"], NOW_MS)


def change_everything(uow: UnitOfWork) -> None:
    uow.objects.save_many([an_object("o1", instance=INSTANCE + 1), an_object("o3")])
    uow.nodes.touch(node_key("n1"), NOW_MS + 1)
    uow.nodes.save(a_node("n2"))
    uow.deliveries.open_many([an_opening("o1", everyone(), instance=INSTANCE + 1)])
    uow.deliveries.withdraw_all(object_key("o1"), NOW_MS)
    uow.fan_outs.advance(object_key("o1"), node_key("n1"))
    uow.receptions.save(a_reception("o2", message="changed"))
    uow.payloads.save_small_many([("p2", b"new")])
    uow.payloads.discard_many([a_payload("p1"), "other"], NOW_MS)
    uow.uploads.save(replace(UPLOAD, staged="changed"))
    uow.accounts.save(replace(ACCOUNT, identity="changed"))


def remove_everything(uow: UnitOfWork) -> None:
    uow.deliveries.remove_of_object(object_key("o1"))
    uow.objects.remove(object_key("o1"))
    uow.nodes.remove(node_key("n1"))
    uow.fan_outs.remove(object_key("o1"))
    uow.receptions.remove(object_key("o2"))
    uow.payloads.forget_discarded(["staged"])
    uow.uploads.remove(object_key("o1"))
    uow.accounts.remove("key")


def failing_after(work: Callable[[UnitOfWork], None]) -> Callable[[UnitOfWork], None]:
    def fail(uow: UnitOfWork) -> None:
        work(uow)
        raise GivenUp

    return fail


@pytest.mark.parametrize("work", [change_everything, remove_everything])
def test_a_use_case_that_fails_leaves_no_trace(database: Database, work: Callable[[UnitOfWork], None]) -> None:
    database.write(save_one_of_each)
    before = database.read(everything)

    with pytest.raises(GivenUp):
        database.write(failing_after(work))

    assert database.read(everything) == before


def test_a_use_case_that_fails_in_an_empty_database_leaves_no_trace(database: Database) -> None:
    before = database.read(everything)

    with pytest.raises(GivenUp):
        database.write(failing_after(save_one_of_each))

    assert database.read(everything) == before


def test_a_use_case_sees_its_own_changes(database: Database) -> None:
    def save_then_look(uow: UnitOfWork) -> dict[str, object]:
        save_one_of_each(uow)
        return everything(uow)

    seen = database.write(save_then_look)

    assert seen == database.read(everything)
    assert all(seen.values())


def test_the_future_holds_the_result_or_the_error(database: Database) -> None:
    def refuse(_: UnitOfWork) -> None:
        raise InvalidRequest("no")

    assert database.submit(lambda _: "result").result(WAIT_SECONDS) == "result"
    assert isinstance(database.submit(refuse).exception(WAIT_SECONDS), InvalidRequest)


def test_a_result_is_there_for_everybody_once_its_future_is_done(database: Database) -> None:
    for number in range(20):
        item = an_object(f"o{number}")
        database.submit(lambda uow: uow.objects.save_many([item])).result(WAIT_SECONDS)  # noqa: B023

        assert database.read(lambda uow: uow.objects.find(item.key)) == item  # noqa: B023


def test_use_cases_that_fail_do_not_affect_those_that_go_with_them(database: Database) -> None:
    def save(number: int) -> Callable[[UnitOfWork], None]:
        work = lambda uow: uow.objects.save_many([an_object(f"o{number}")])  # noqa: E731
        return failing_after(work) if number % 3 == 0 else work

    futures = [database.submit(save(number)) for number in range(30)]

    failed = [number for number, future in enumerate(futures) if future.exception(WAIT_SECONDS)]
    assert failed == list(range(0, 30, 3))
    found = database.write(lambda uow: uow.objects.find_many([object_key(f"o{number}") for number in range(30)]))
    assert sorted(found) == sorted(object_key(f"o{number}") for number in range(30) if number % 3)


def test_no_update_is_lost_between_use_cases_that_lock_what_they_change(database: Database) -> None:
    given(database, replace(an_object("o1"), remaining_consumers=100))

    def consume(uow: UnitOfWork) -> None:
        item = uow.objects.find(object_key("o1"), lock=True)
        assert item is not None
        uow.objects.save_many([replace(item, remaining_consumers=item.remaining_consumers - 1)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: database.write(consume), range(60)))
    for future in [database.submit(consume) for _ in range(40)]:
        future.result(WAIT_SECONDS)

    assert database.read(lambda uow: uow.objects.get(object_key("o1"))).remaining_consumers == 0


def test_a_commit_wakes_its_topics(database: Database, woken: Wakeups) -> None:
    def publish(uow: UnitOfWork) -> None:
        uow.wake("a", "b")
        uow.wake()
        uow.wake("c")

    database.write(publish)

    assert woken.wait_for("a") >= {"a", "b", "c"}


def test_a_use_case_that_fails_wakes_nobody(database: Database, woken: Wakeups) -> None:
    futures = [
        database.submit(lambda uow: uow.wake("good")),
        database.submit(failing_after(lambda uow: uow.wake("bad"))),
    ]
    for future in futures:
        future.exception(WAIT_SECONDS)
    database.write(lambda uow: uow.wake("last"))

    woken.wait_for("good")
    assert "bad" not in woken.wait_for("last")


def test_reading_returns_what_it_was_asked_for_or_raises(database: Database) -> None:
    given(database, an_object("o1"))

    assert database.read(lambda uow: uow.objects.get(object_key("o1"))) == an_object("o1")
    with pytest.raises(NotFound):
        database.read(lambda uow: uow.objects.get(object_key("absent")))


def test_reading_changes_nothing_and_wakes_nobody(database: Database, woken: Wakeups) -> None:
    database.write(save_one_of_each)
    before = database.read(everything)

    def change(uow: UnitOfWork) -> None:
        uow.wake("bad")
        change_everything(uow)

    with contextlib.suppress(Exception):  # a store may refuse, or forget the change
        database.read(change)
    database.write(lambda uow: uow.wake("last"))

    assert database.read(everything) == before
    assert "bad" not in woken.wait_for("last")


def test_instance_numbers_grow_and_start_beyond_the_clock(database: Database, clock: ManualClock) -> None:
    first = database.write(lambda uow: uow.next_instances(3))
    second = database.write(lambda uow: uow.next_instances(1))

    assert len(first) == 3
    assert first[0] > clock.now_ms() * 1_000_000
    assert second[0] > first[-1]


def test_no_instance_numbers_can_be_asked_for(database: Database) -> None:
    assert len(database.write(lambda uow: uow.next_instances(0))) == 0


def test_instance_numbers_grow_within_one_use_case(database: Database) -> None:
    first, second = database.write(lambda uow: (uow.next_instances(2), uow.next_instances(2)))

    assert second[0] > first[-1]


def test_instance_numbers_of_a_use_case_that_failed_are_not_given_out_again(database: Database) -> None:
    taken: list[int] = []

    with pytest.raises(GivenUp):
        database.write(failing_after(lambda uow: taken.extend(uow.next_instances(5))))

    assert database.write(lambda uow: uow.next_instances(1))[0] > taken[-1]


def test_instance_numbers_are_given_out_once_whoever_asks(database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        ranges = list(pool.map(lambda _: database.write(lambda uow: uow.next_instances(3)), range(40)))

    numbers = [number for each in ranges for number in each]
    assert len(set(numbers)) == 120


@durable
@pytest.mark.parametrize("years", [-20, 0, 20])
def test_instance_numbers_grow_across_restarts_whatever_the_clock_says(
    open_database: OpenDatabase, clock: ManualClock, years: int
) -> None:
    database = open_database()
    before = database.write(lambda uow: uow.next_instances(2))[-1]
    database.close()

    clock.set_wall(NOW_MS + years * 365 * 24 * 3_600_000)
    after = open_database().write(lambda uow: uow.next_instances(1))[0]

    assert after > before
    if years > 0:
        assert after > clock.now_ms() * 1_000_000


def test_a_clock_that_jumps_back_while_running_changes_nothing_for_instance_numbers(
    database: Database, clock: ManualClock
) -> None:
    before = database.write(lambda uow: uow.next_instances(1))[0]

    clock.set_wall(0)

    assert database.write(lambda uow: uow.next_instances(1))[0] > before


@durable
def test_what_was_written_is_there_after_a_restart(open_database: OpenDatabase) -> None:
    database = open_database()
    database.write(save_one_of_each)
    written = database.read(everything)
    database.close()

    assert open_database().read(everything) == written


@durable
def test_closing_finishes_what_was_submitted(open_database: OpenDatabase) -> None:
    database = open_database()
    futures = [
        database.submit(lambda uow, name=f"o{number}": uow.objects.save_many([an_object(name)]))  # type: ignore[misc]
        for number in range(50)
    ]

    database.close()

    assert all(future.done() and future.exception() is None for future in futures)
    keys = [object_key(f"o{number}") for number in range(50)]
    assert len(open_database().write(lambda uow: uow.objects.find_many(keys))) == 50


def test_closing_twice_is_harmless(database: Database) -> None:
    database.write(lambda uow: uow.wake("a"))

    database.close()
    database.close()
