"""Webhooks: questions whose cost must not grow with what they do not ask about (see test_stores_cost)."""

from __future__ import annotations

import itertools

import pytest

from common.domain.webhooks import Webhook, WebhookEvent, WebhookFormat
from common.sync.ports import Database, UnitOfWork
from tests.support.builders import ORG, object_key
from tests.support.costs import grows
from tests.support.manual_clock import NOW_MS

pytestmark = pytest.mark.parametrize(
    "place", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)

_ids = itertools.count(1)


def a_webhook(webhook_id: int, object_type: str = "model") -> Webhook:
    return Webhook(webhook_id, ORG, object_type, f"http://h/{webhook_id}", WebhookFormat.EDGESYNC, "", NOW_MS)


def events(count: int, *, webhook_id: int = 1, per_object: bool = True) -> list[WebhookEvent]:
    return [
        WebhookEvent(next(_ids), webhook_id, object_key(f"o{n}" if per_object else "o"), n, "{}", NOW_MS)
        for n in range(count)
    ]


def add(uow: UnitOfWork, batch: list[WebhookEvent]) -> None:
    uow.webhook_queue.add_many(batch, NOW_MS)


def claim_and_settle(uow: UnitOfWork) -> object:
    (attempt,) = uow.webhook_queue.claim(1, NOW_MS, NOW_MS + 1, limit=1)
    assert uow.webhook_queue.is_current(attempt)
    uow.webhook_queue.postpone(attempt, NOW_MS)
    return attempt


def test_the_webhooks_of_a_type_are_found_among_those_of_others(database: Database) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        for number in range(count):
            uow.webhooks.save(a_webhook(number + 1, f"t{number}"))

    assert not grows(database, lambda uow: uow.webhooks.list_of_type(ORG, "t7"), fill)


@pytest.mark.parametrize("per_object", [True, False], ids=["in many lines", "in one line"])
def test_a_call_costs_the_same_whatever_is_queued(database: Database, per_object: bool) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        uow.webhooks.save(a_webhook(1))
        add(uow, events(count, per_object=per_object))

    assert not grows(database, claim_and_settle, fill)


def test_a_call_costs_the_same_whatever_is_queued_for_others(database: Database) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        uow.webhooks.save(a_webhook(1))
        uow.webhooks.save(a_webhook(2))
        add(uow, events(1) + events(count, webhook_id=2))

    assert not grows(database, claim_and_settle, fill)


def test_what_is_due_next_costs_the_same_whatever_the_backlog(database: Database) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        add(uow, events(count))

    assert not grows(database, lambda uow: uow.webhook_queue.first_due(), fill)


def test_dead_letters_cost_a_call_nothing(database: Database) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        uow.webhooks.save(a_webhook(1))
        add(uow, events(count))
        for attempt in uow.webhook_queue.claim(1, NOW_MS, NOW_MS + 60_000, count):
            uow.webhook_queue.bury(attempt, "gone", NOW_MS)
        add(uow, events(1, per_object=False))

    assert not grows(database, claim_and_settle, fill)


def test_a_page_of_dead_letters_costs_the_same_however_many_there_are(database: Database) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        uow.webhooks.save(a_webhook(1))
        add(uow, events(count))
        for attempt in uow.webhook_queue.claim(1, NOW_MS, NOW_MS + 60_000, count):
            uow.webhook_queue.bury(attempt, "gone", NOW_MS)

    assert not grows(database, lambda uow: uow.webhook_queue.list_dead(ORG, 0, limit=5), fill)


def test_adding_costs_the_same_whatever_is_queued(database: Database) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        add(uow, events(count))

    assert not grows(database, lambda uow: add(uow, events(1)), fill)
