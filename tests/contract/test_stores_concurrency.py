"""What transactions promise each other when they run at the same time.

On a database that runs one transaction after the other, the second one waits where the test lets the first one pause.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace

import pytest

from common.domain.delivery import DeliveryState, Offered, step
from common.domain.reception import answer_sent
from common.sync.ports import Database, UnitOfWork
from tests.support.builders import (
    a_delivery,
    a_fan_out,
    a_node,
    a_reception,
    an_object,
    an_opening,
    everyone,
    node_key,
    object_key,
)
from tests.support.manual_clock import NOW_MS
from tests.support.store_places import WAIT_SECONDS, given

NODE = node_key("n1")
#: Long enough for a transaction that does not wait to be over.
A_WHILE_SECONDS = 0.3

durable = pytest.mark.parametrize(
    "place", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
parallel = pytest.mark.parametrize("place", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)


class Paused:
    """A use case that stops half-way until it is told to go on."""

    def __init__(
        self,
        database: Database,
        before: Callable[[UnitOfWork], object],
        after: Callable[[UnitOfWork], object] = lambda _: None,
    ) -> None:
        self._arrived = threading.Event()
        self._resume = threading.Event()
        self._before, self._after = before, after
        self._thread = ThreadPoolExecutor(1)
        self._future: Future[object] = self._thread.submit(database.write, self._work)
        assert self._arrived.wait(WAIT_SECONDS)

    def resume(self) -> object:
        """Let it finish; what its first half returned."""
        self._resume.set()
        result = self._future.result(WAIT_SECONDS)
        self._thread.shutdown()
        return result

    def _work(self, uow: UnitOfWork) -> object:
        result = self._before(uow)
        self._arrived.set()
        assert self._resume.wait(WAIT_SECONDS)
        self._after(uow)
        return result


class Beside:
    """A use case in another thread."""

    def __init__(self, database: Database, work: Callable[[UnitOfWork], object]) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._future: Future[object] = self._thread.submit(database.write, work)

    def is_waiting(self) -> bool:
        """Is it still not over after a while?"""
        try:
            self._future.result(A_WHILE_SECONDS)
        except FutureTimeoutError:
            return True
        return False

    def result(self) -> object:
        result = self._future.result(WAIT_SECONDS)
        self._thread.shutdown()
        return result


def claim(uow: UnitOfWork, limit: int = 2) -> set[str]:
    """Ids of claimed objects; as the sender does, each is stepped and saved."""
    pairs = uow.deliveries.claim_due(NODE, NOW_MS, limit)
    uow.deliveries.save_many([step(delivery, Offered(), NOW_MS) for delivery, _ in pairs])
    return {item.key.id for _, item in pairs}


@parallel
def test_two_claims_at_once_never_get_the_same_delivery_and_do_not_wait(database: Database) -> None:
    for number in range(4):
        given(database, an_object(f"o{number}"), a_delivery(f"o{number}", "n1", due_at_ms=NOW_MS - number))

    first = Paused(database, claim)
    second = database.submit(claim).result(WAIT_SECONDS)

    assert first.resume() == {"o3", "o2"}
    assert second == {"o1", "o0"}
    assert database.write(claim) == set()


def test_claims_from_many_sides_take_each_delivery_once(database: Database) -> None:
    names = {f"o{number}" for number in range(60)}
    given(database, *(an_object(name) for name in names), *(a_delivery(name, "n1") for name in names))

    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(lambda _: database.write(lambda uow: claim(uow, limit=7)), range(16)))

    assert sorted(name for claimed in claims for name in claimed) == sorted(names)


@parallel
def test_a_locked_delivery_is_skipped_by_a_claim(database: Database) -> None:
    given(database, an_object("o1"), an_object("o2"), a_delivery("o1", "n1"), a_delivery("o2", "n1"))

    answering = Paused(database, lambda uow: uow.deliveries.find_many([(object_key("o1"), NODE)]))
    claimed = database.submit(claim).result(WAIT_SECONDS)
    answering.resume()

    assert claimed == {"o2"}


def test_answers_claimed_at_once_are_sent_once(database: Database) -> None:
    given(database, *(a_reception(f"o{number}") for number in range(30)))

    def send(uow: UnitOfWork) -> list[str]:
        claimed = uow.receptions.claim_answers(None, NOW_MS, 5)
        for reception in claimed:
            uow.receptions.save(answer_sent(reception, NOW_MS))
        return [reception.object.id for reception in claimed]

    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(lambda _: database.write(send), range(12)))
    sent.append(database.write(send))

    names = [name for each in sent for name in each]
    assert len(names) == len(set(names))


@parallel
def test_two_workers_get_different_fan_outs(database: Database) -> None:
    given(database, a_fan_out("o1"), a_fan_out("o2"))

    first = Paused(database, lambda uow: uow.fan_outs.next())
    second = database.submit(lambda uow: uow.fan_outs.next()).result(WAIT_SECONDS)
    third = Paused(database, lambda uow: uow.fan_outs.next())

    assert first.resume() == a_fan_out("o1")
    assert second == third.resume() == a_fan_out("o2")


LOCKING_QUESTIONS: dict[str, Callable[[UnitOfWork], object]] = {
    "objects.find": lambda uow: uow.objects.find(object_key("o1"), lock=True),
    "objects.find_many": lambda uow: uow.objects.find_many([object_key("o2"), object_key("o1")]),
    "deliveries.find_many": lambda uow: uow.deliveries.find_many([(object_key("o1"), NODE)]),
    "deliveries.claim_due": lambda uow: uow.deliveries.claim_due(NODE, NOW_MS, 5),
    "receptions.find": lambda uow: uow.receptions.find(object_key("o1"), lock=True),
    "receptions.claim_answers": lambda uow: uow.receptions.claim_answers(None, NOW_MS, 5),
    "fan_outs.next": lambda uow: uow.fan_outs.next(),
}

CHANGES: dict[str, Callable[[UnitOfWork], object]] = {
    "objects": lambda uow: uow.objects.save_many([an_object("o1", description="changed")]),
    "deliveries": lambda uow: uow.deliveries.save_many([a_delivery("o1", "n1", DeliveryState.CONSUMED)]),
    "receptions": lambda uow: uow.receptions.save(a_reception("o1", message="changed")),
    "fan_outs": lambda uow: uow.fan_outs.advance(object_key("o1"), NODE),
}


@durable
@pytest.mark.parametrize("question", LOCKING_QUESTIONS)
def test_what_was_found_with_a_lock_is_not_changed_by_others(database: Database, question: str) -> None:
    given(database, an_object("o1"), an_object("o2"), a_delivery("o1", "n1"), a_reception("o1"), a_fan_out("o1"))

    owner = Paused(database, LOCKING_QUESTIONS[question])
    other = Beside(database, CHANGES[question.partition(".")[0]])
    waited = other.is_waiting()
    owner.resume()
    other.result()

    assert waited


@durable
def test_find_many_waits_and_then_sees_what_the_other_one_did(database: Database) -> None:
    given(database, an_object("o1"), a_delivery("o1", "n1"))
    ids = [(object_key("o1"), NODE)]
    changed = an_object("o1", description="changed")
    consumed = a_delivery("o1", "n1", DeliveryState.CONSUMED)

    def change_both(uow: UnitOfWork) -> None:
        uow.objects.save_many([changed])
        uow.deliveries.save_many([consumed])

    first = Paused(
        database,
        lambda uow: (uow.objects.find_many([object_key("o1")]), uow.deliveries.find_many(ids)),
        change_both,
    )
    second = Beside(database, lambda uow: (uow.objects.find_many([object_key("o1")]), uow.deliveries.find_many(ids)))
    assert second.is_waiting()
    first.resume()

    assert second.result() == ({object_key("o1"): changed}, {ids[0]: consumed})


def test_callers_that_name_keys_in_different_orders_do_not_wait_for_each_other(database: Database) -> None:
    keys = [object_key(f"o{number}") for number in range(20)]
    ids = [(key, NODE) for key in keys]
    given(database, *(an_object(key) for key in keys), *(a_delivery(key, NODE) for key in keys))

    def touch_all(forwards: bool) -> None:
        def work(uow: UnitOfWork) -> None:
            objects = uow.objects.find_many(keys if forwards else keys[::-1])
            deliveries = uow.deliveries.find_many(ids if forwards else ids[::-1])
            uow.objects.save_many(list(objects.values()))
            uow.deliveries.save_many(list(deliveries.values()))

        for _ in range(15):
            database.write(work)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(touch_all, forwards) for forwards in (True, False)]:
            done.result(WAIT_SECONDS)


def test_of_two_first_versions_published_at_once_the_newer_one_stays(database: Database) -> None:
    numbers: list[int] = []

    def look(uow: UnitOfWork) -> None:
        publish_first_half(uow)
        uow.objects.find_many([object_key("o1")])
        numbers.append(uow.next_instances(1)[0])

    def save(uow: UnitOfWork) -> None:
        uow.objects.save_many([an_object("o1", instance=numbers[-1])])

    def publish_at_once(uow: UnitOfWork) -> None:
        look(uow)
        save(uow)

    # A use case that was overtaken runs again, from the start.
    slow = Paused(database, look, save)
    quick = Beside(database, publish_at_once)
    quick.is_waiting()
    slow.resume()
    quick.result()

    assert database.read(lambda uow: uow.objects.get(object_key("o1"))).instance == max(numbers)


@durable
def test_reading_waits_for_nobody_and_sees_what_was_committed(database: Database) -> None:
    given(database, an_object("o1"))

    writer = Paused(
        database, lambda uow: uow.objects.save_many([an_object("o1", description="changed"), an_object("o2")])
    )
    seen = database.read(lambda uow: [uow.objects.find(object_key(name)) for name in ("o1", "o2")])
    writer.resume()

    assert seen == [an_object("o1"), None]


@durable
def test_a_read_sees_one_moment_whatever_is_committed_meanwhile(database: Database) -> None:
    given(database, an_object("o1"))

    def look_twice(uow: UnitOfWork) -> list[object]:
        first = uow.objects.find(object_key("o1"))
        given(database, an_object("o1", description="changed"), an_object("o2"))
        return [first, uow.objects.find(object_key("o1")), uow.objects.find(object_key("o2"))]

    assert database.read(look_twice) == [an_object("o1"), an_object("o1"), None]
    assert database.read(lambda uow: uow.objects.find(object_key("o2")))


def publish_first_half(uow: UnitOfWork) -> None:
    uow.nodes.lock_org_shared({"acme"})


def publish_second_half(uow: UnitOfWork, name: str = "o1") -> None:
    uow.objects.save_many([an_object(name)])
    uow.deliveries.open_many([an_opening(name, everyone())])


def publish(uow: UnitOfWork, name: str) -> None:
    publish_first_half(uow)
    publish_second_half(uow, name)


def register_first_half(uow: UnitOfWork, name: str = "n1") -> None:
    uow.nodes.lock_org("acme")
    uow.nodes.save(a_node(name))


def register_second_half(uow: UnitOfWork, name: str = "n1") -> None:
    uow.deliveries.open_for_node(node_key(name), NOW_MS)


def register(uow: UnitOfWork, name: str) -> None:
    register_first_half(uow, name)
    register_second_half(uow, name)


def destinations(database: Database, name: str) -> set[str]:
    return {each.node.id for each in database.read(lambda uow: uow.deliveries.list_of_object(object_key(name)))}


def test_a_node_that_registers_during_a_publication_does_not_miss_it(database: Database) -> None:
    publication = Paused(database, publish_first_half, publish_second_half)
    registration = Beside(database, lambda uow: register(uow, "n1"))
    assert registration.is_waiting()
    publication.resume()
    registration.result()

    assert destinations(database, "o1") == {"n1"}


def test_a_publication_during_a_registration_does_not_miss_the_node(database: Database) -> None:
    registration = Paused(database, register_first_half, register_second_half)
    publication = Beside(database, lambda uow: publish(uow, "o1"))
    assert publication.is_waiting()
    registration.resume()
    publication.result()

    assert destinations(database, "o1") == {"n1"}


def test_whatever_the_order_every_node_gets_every_object(database: Database) -> None:
    nodes, objects = [f"n{number}" for number in range(12)], [f"o{number}" for number in range(12)]

    with ThreadPoolExecutor(4) as pool:
        running = [
            pool.submit(database.write, lambda uow, act=act, name=name: act(uow, name))
            for pair in zip(nodes, objects, strict=True)
            for act, name in zip((register, publish), pair, strict=True)
        ]
        for each in running:
            each.result(WAIT_SECONDS)

    assert {name: destinations(database, name) for name in objects} == {name: set(nodes) for name in objects}


@parallel
def test_publications_do_not_wait_for_each_other(database: Database) -> None:
    first = Paused(database, publish_first_half, publish_second_half)
    second = database.submit(lambda uow: publish(uow, "o2"))
    assert second.exception(WAIT_SECONDS) is None
    first.resume()

    assert database.read(lambda uow: uow.objects.find(object_key("o1")))


@parallel
def test_organizations_do_not_wait_for_each_other(database: Database) -> None:
    publication = Paused(database, lambda uow: uow.nodes.lock_org_shared({"acme", "other"}))
    assert database.submit(lambda uow: uow.nodes.lock_org("third")).exception(WAIT_SECONDS) is None
    waiting = [
        Beside(database, lambda uow, org=org: uow.nodes.lock_org(org))  # type: ignore[misc]
        for org in ("acme", "other")
    ]
    assert all(each.is_waiting() for each in waiting)
    publication.resume()
    for each in waiting:
        each.result()


@parallel
def test_instance_numbers_grow_across_replicas(open_database: Callable[[], Database]) -> None:
    replicas = [open_database(), open_database()]

    numbers = [replicas[turn % 2].write(lambda uow: uow.next_instances(2))[-1] for turn in range(10)]

    assert numbers == sorted(set(numbers))


@parallel
def test_what_one_replica_writes_the_other_one_reads(open_database: Callable[[], Database]) -> None:
    here, there = open_database(), open_database()
    item = replace(an_object("o1"), remaining_consumers=7)

    given(here, item)

    assert there.read(lambda uow: uow.objects.find(item.key)) == item
