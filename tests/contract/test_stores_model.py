"""The same random story told to the database in memory and to a real one: both answer every question alike."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from common.domain import delivery as sender
from common.domain import reception as receiver
from common.domain.addressing import Audience
from common.domain.chunks import Coverage
from common.domain.delivery import DELIVERY_EVENTS, Delivery, DeliveryEvent, PeerFailed
from common.domain.errors import NotFound
from common.domain.ids import NodeKey, ObjectKey
from common.domain.objects import ObjectStatus, Payload
from common.domain.principals import Role
from common.domain.reception import Answer, ReceptionState
from common.domain.selection import ListPosition, Selection
from common.sync.ports import UnitOfWork
from common.sync.records import Account, FanOut, Opening, Upload
from tests.support.builders import (
    a_node,
    a_payload,
    a_reception,
    an_object,
    everyone,
    listed,
    node_key,
    nodes_of_type,
    object_key,
    only,
    placed,
)
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.store_places import InMemory, OnPostgres, OnSqlite, Place

T = TypeVar("T")

ALL = 1_000
KEYS = [object_key("o1"), object_key("O1"), object_key("é"), object_key("c", "a-b"), object_key("b-c", "a")]
NODES = [node_key("n1"), node_key("N1"), node_key("n1", "camera"), node_key("日", "edge-x")]
AUDIENCES = [
    everyone(),
    nodes_of_type("edge"),
    only("n1"),
    only("N1"),
    listed("n1", node_key("n1", "camera")),
    listed("N1"),
    placed(),
]
#: Metadata that addresses like AUDIENCES.
ADDRESSES: list[dict[str, object]] = [
    {},
    {"destination_type": "edge"},
    {"destination_type": "edge", "destination_id": "n1"},
    {"destination_type": "camera", "destination_id": "n1"},
    {"destinations_list": ["edge:n1", "camera:n1"]},
    {"destinations_list": ["edge:N1"]},
    {"destinations_list": []},
]
PAYLOADS = [a_payload("p1"), a_payload("p2"), a_payload("p3", is_small=False), a_payload("p4", is_small=False)]
NAMES = [payload.name for payload in PAYLOADS]
APP_KEYS = ["a", "B"]

keys = st.sampled_from(KEYS)
nodes = st.sampled_from(NODES)
audiences = st.sampled_from(AUDIENCES)


class GivenUp(Exception):
    """What a use case raises that is meant to leave no trace."""


class StoresAgree(RuleBasedStateMachine):
    """Every rule is one transaction on both databases; after each, all questions get the same answers from both."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        clock = ManualClock()
        self._model = InMemory().open(on_commit=lambda _: None, clock=clock)
        self._real = place.open(on_commit=lambda _: None, clock=clock)
        self._now_ms = NOW_MS
        self._instances: Iterator[int] = itertools.count(NOW_MS * 1_000_000)
        self._fails = False

    def teardown(self) -> None:
        self._real.close()

    def both(self, work: Callable[[UnitOfWork], object]) -> None:
        """Run a use case on both databases and compare what it returns, or let it fail on both."""
        databases = (self._model, self._real)
        if self._fails:
            self._fails = False
            for database in databases:
                with pytest.raises(GivenUp):
                    database.write(failing_after(work))
            return
        in_model, in_reality = (database.write(work) for database in databases)
        assert in_reality == in_model

    @invariant()
    def all_questions_have_the_same_answers(self) -> None:
        expected, actual = (each.read(lambda uow: answers(uow, self._now_ms)) for each in (self._model, self._real))
        assert actual == expected

    @precondition(lambda self: not self._fails)
    @rule()
    def the_next_use_case_fails(self) -> None:
        self._fails = True

    @rule(ms=st.sampled_from([1, 6_000, 70_000, 4_000_000, -2_000, -5_000_000]))
    def time_passes(self, ms: int) -> None:
        self._now_ms += ms

    @rule(
        key=keys,
        status=st.sampled_from(ObjectStatus),
        is_own=st.booleans(),
        inactive=st.booleans(),
        payload=st.sampled_from([*PAYLOADS, None]),
        address=st.sampled_from(ADDRESSES),
    )
    def save_object(
        self,
        key: ObjectKey,
        status: ObjectStatus,
        is_own: bool,
        inactive: bool,
        payload: Payload | None,
        address: dict[str, object],
    ) -> None:
        item = an_object(
            key, status, is_own=is_own, payload=payload, instance=next(self._instances), inactive=inactive, **address
        )
        self.both(lambda uow: uow.objects.save_many([item]))

    @rule(wanted=st.lists(keys, unique=True))
    def mark_objects_received(self, wanted: list[ObjectKey]) -> None:
        def mark(uow: UnitOfWork) -> object:
            found = uow.objects.find_many(wanted)
            changed = [replace(item, remaining_receivers=item.remaining_receivers - 1) for item in found.values()]
            uow.objects.save_many(changed)
            return found

        self.both(mark)

    @rule(key=keys)
    def remove_object(self, key: ObjectKey) -> None:
        self.both(lambda uow: uow.objects.remove(key))

    @rule(node=nodes)
    def register(self, node: NodeKey) -> None:
        def save_and_open(uow: UnitOfWork) -> None:
            uow.nodes.lock_org(node.org)
            uow.nodes.save(a_node(node, last_seen_at_ms=self._now_ms))
            uow.deliveries.open_for_node(node, self._now_ms)

        self.both(save_and_open)

    @rule(node=nodes)
    def touch_node(self, node: NodeKey) -> None:
        self.both(lambda uow: uow.nodes.touch(node, self._now_ms))

    @rule(node=nodes, is_complete=st.booleans())
    def remove_node(self, node: NodeKey, is_complete: bool) -> None:
        def remove(uow: UnitOfWork) -> None:
            uow.nodes.remove(node)
            if is_complete:
                uow.deliveries.remove_of_node(node)

        self.both(remove)

    @rule(addressed=st.dictionaries(keys, st.tuples(audiences, st.booleans()), max_size=4))
    def open_many(self, addressed: dict[ObjectKey, tuple[Audience, bool]]) -> None:
        openings = [
            Opening(key, next(self._instances), audience, is_deliverable, self._now_ms)
            for key, (audience, is_deliverable) in addressed.items()
        ]
        self.both(lambda uow: uow.deliveries.open_many(openings))

    @rule(key=keys, audience=audiences, is_deliverable=st.booleans())
    def begin_fan_out(self, key: ObjectKey, audience: Audience, is_deliverable: bool) -> None:
        fan_out = FanOut(key, next(self._instances), audience, is_deliverable)
        self.both(lambda uow: uow.fan_outs.add(fan_out))

    @rule(limit=st.integers(1, 3))
    def continue_fan_out(self, limit: int) -> None:
        def advance(uow: UnitOfWork) -> object:
            fan_out = uow.fan_outs.next()
            if fan_out is None:
                return None
            last = uow.deliveries.open_page(fan_out, self._now_ms, limit)
            if last is None:
                uow.fan_outs.remove(fan_out.object)
            else:
                uow.fan_outs.advance(fan_out.object, last)
            return fan_out, last

        self.both(advance)

    @rule(key=keys, audience=audiences)
    def withdraw_unaddressed(self, key: ObjectKey, audience: Audience) -> None:
        self.both(lambda uow: uow.deliveries.withdraw_unaddressed(key, audience, self._now_ms))

    @rule(key=keys)
    def withdraw_all(self, key: ObjectKey) -> None:
        self.both(lambda uow: uow.deliveries.withdraw_all(key, self._now_ms))

    @rule(node=nodes)
    def offer_what_is_due(self, node: NodeKey) -> None:
        def offer(uow: UnitOfWork) -> object:
            claimed = uow.deliveries.claim_due(node, self._now_ms, ALL)
            uow.deliveries.save_many([sender.step(each, sender.Offered(), self._now_ms) for each, _ in claimed])
            return sorted(claimed, key=lambda pair: pair[1].key)

        self.both(offer)

    @rule(key=keys, kind=st.sampled_from(DELIVERY_EVENTS))
    def peers_answer(self, key: ObjectKey, kind: type[DeliveryEvent]) -> None:
        def answer(uow: UnitOfWork) -> object:
            found = uow.deliveries.find_many([(key, node) for node in NODES])
            uow.deliveries.save_many([stepped(each, kind, self._now_ms) for each in found.values()])
            return found

        self.both(answer)

    @rule(node=nodes, lost_everything=st.booleans())
    def requeue_of_node(self, node: NodeKey, lost_everything: bool) -> None:
        self.both(lambda uow: uow.deliveries.requeue_of_node(node, self._now_ms, lost_everything=lost_everything))

    @rule(key=keys, node=st.sampled_from([*NODES, None]))
    def remove_deliveries(self, key: ObjectKey, node: NodeKey | None) -> None:
        self.both(lambda uow: uow.deliveries.remove(key, node) if node else uow.deliveries.remove_of_object(key))

    @rule(
        key=keys,
        state=st.sampled_from(ReceptionState),
        origin=nodes,
        is_answered=st.booleans(),
        staged=st.sampled_from(["", *NAMES]),
    )
    def save_reception(
        self, key: ObjectKey, state: ReceptionState, origin: NodeKey, is_answered: bool, staged: str
    ) -> None:
        reception = a_reception(
            key,
            state,
            origin=origin,
            instance=next(self._instances),
            is_answered=is_answered,
            due_at_ms=self._now_ms,
            staged=staged,
            coverage=Coverage.of([(0, 5)]),
        )
        self.both(lambda uow: uow.receptions.save(reception))

    @rule(origin=st.sampled_from([*NODES, None]))
    def send_answers(self, origin: NodeKey | None) -> None:
        def send(uow: UnitOfWork) -> object:
            claimed = uow.receptions.claim_answers(origin, self._now_ms, ALL)
            for reception in claimed:
                uow.receptions.save(receiver.answer_sent(reception, self._now_ms))
            return sorted(claimed, key=lambda reception: reception.object)

        self.both(send)

    @rule(origin=nodes)
    def requeue_answers(self, origin: NodeKey) -> None:
        self.both(lambda uow: uow.receptions.requeue_answers(origin, self._now_ms))

    @rule(key=keys, answer=st.sampled_from(Answer))
    def acknowledge_answer(self, key: ObjectKey, answer: Answer) -> None:
        def acknowledge(uow: UnitOfWork) -> None:
            if reception := uow.receptions.find(key, lock=True):
                uow.receptions.save(receiver.answer_acknowledged(reception, answer))

        self.both(acknowledge)

    @rule(key=keys)
    def remove_reception(self, key: ObjectKey) -> None:
        self.both(lambda uow: uow.receptions.remove(key))

    @rule(keep=st.integers(0, 3))
    def prune_finished(self, keep: int) -> None:
        self.both(lambda uow: uow.receptions.prune_finished(keep))

    @rule(payloads=st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=3)))
    def save_small_payloads(self, payloads: dict[str, bytes]) -> None:
        self.both(lambda uow: uow.payloads.save_small_many(list(payloads.items())))

    @rule(payloads=st.lists(st.sampled_from([*PAYLOADS, *NAMES])))
    def discard_payloads(self, payloads: list[Payload | str]) -> None:
        self.both(lambda uow: uow.payloads.discard_many(payloads, self._now_ms))

    @rule(names=st.lists(st.sampled_from(NAMES)))
    def forget_discarded(self, names: list[str]) -> None:
        self.both(lambda uow: uow.payloads.forget_discarded(names))

    @rule(key=keys, staged=st.sampled_from([*NAMES, None]))
    def save_or_remove_upload(self, key: ObjectKey, staged: str | None) -> None:
        if staged is None:
            self.both(lambda uow: uow.uploads.remove(key))
        else:
            upload = Upload(key, staged, 10, 5, Coverage.of([(5, 10)]), self._now_ms)
            self.both(lambda uow: uow.uploads.save(upload))

    @rule(app_key=st.sampled_from(APP_KEYS), role=st.sampled_from([*Role, None]))
    def save_or_remove_account(self, app_key: str, role: Role | None) -> None:
        if role is None:
            self.both(lambda uow: uow.accounts.remove(app_key))
        else:
            account = Account(app_key, role, "acme", "someone", "hash", self._now_ms)
            self.both(lambda uow: uow.accounts.save(account))


def answers(uow: UnitOfWork, now_ms: int) -> dict[str, object]:
    """What the stores say about all keys of this module. Where no order is promised, the answer is sorted."""
    return {
        "objects": [uow.objects.find(key) for key in KEYS],
        "objects by type": [
            uow.object_lists.page(Selection("acme", kind, statuses=statuses), ListPosition(kind, after), limit)
            for kind in ("model", "a-b", "a")
            for statuses, after, limit in (
                (None, "", ALL),
                (None, "O1", 1),
                (frozenset({ObjectStatus.READY, ObjectStatus.DELETED}), "", 2),
            )
        ],
        "own objects": uow.objects.count_own(),
        "nodes": uow.nodes.list_of_org("acme"),
        "existing nodes": uow.nodes.existing(NODES),
        "node counts": [uow.nodes.count(), uow.nodes.count("acme"), uow.nodes.count("acme", "edge")],
        "deliveries by object": [uow.deliveries.list_of_object(key) for key in KEYS],
        "deliveries by node": [uow.deliveries.list_of_node(node) for node in NODES],
        "has due": [uow.deliveries.has_due(node, now_ms) for node in NODES],
        "next due": [uow.deliveries.next_due_at(node) for node in NODES],
        "undeleted": [uow.deliveries.has_undeleted(key) for key in KEYS],
        "fan-outs": [uow.fan_outs.find(key) for key in KEYS],
        "receptions": [uow.receptions.find(key) for key in KEYS],
        "fetching": uow.receptions.list_fetching(ALL),
        "has answers": [uow.receptions.has_answers(node, now_ms) for node in NODES],
        "next answer": [uow.receptions.next_answer_at(node) for node in (*NODES, None)],
        "small payloads": [small_payload(uow, name) for name in NAMES],
        "discarded": sorted(uow.payloads.list_discarded(now_ms, ALL)),
        "referenced": uow.payloads.referenced(NAMES),
        "uploads": [uow.uploads.find(key) for key in KEYS],
        "accounts": [uow.accounts.list_all(), uow.accounts.is_empty(), uow.accounts.find("a")],
    }


def small_payload(uow: UnitOfWork, name: str) -> bytes | None:
    try:
        return uow.payloads.read_small(name)
    except NotFound:
        return None


def stepped(delivery: Delivery, kind: type[DeliveryEvent], now_ms: int) -> Delivery:
    """After that event, where it has a place."""
    if kind not in sender.TRANSITIONS[delivery.state]:
        return delivery
    event = PeerFailed("disk full") if kind is PeerFailed else kind()  # type: ignore[call-arg]
    return sender.step(delivery, event, now_ms)


def failing_after(work: Callable[[UnitOfWork], object]) -> Callable[[UnitOfWork], None]:
    def fail(uow: UnitOfWork) -> None:
        work(uow)
        raise GivenUp

    return fail


def check(open_place: Callable[[], Place], *, examples: int) -> None:
    class StoresHereAgree(StoresAgree):
        def __init__(self) -> None:
            super().__init__(open_place())

    run_state_machine_as_test(
        StoresHereAgree,
        settings=settings(
            max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.timeout(300)
def test_sqlite_answers_like_the_model(sqlite_schema: Path, tmp_path: Path) -> None:
    numbers = itertools.count()

    check(lambda: OnSqlite(sqlite_schema, tmp_path / f"{next(numbers)}.db"), examples=60)


@pytest.mark.timeout(300)
def test_postgres_answers_like_the_model(postgres_schema: str) -> None:
    check(lambda: OnPostgres(postgres_schema), examples=15)


@pytest.mark.timeout(300)
def test_the_model_answers_like_itself() -> None:
    check(InMemory, examples=20)
