"""Questions whose cost must not grow with what they do not ask about.

Times of a shared machine say little, ratios of the best of many runs say enough: a scan of all rows is slower by the
factor by which the rows are more.
"""

from __future__ import annotations

import pytest

from common.domain.delivery import DeliveryState
from common.domain.objects import ObjectStatus
from common.domain.selection import START, Selection
from common.sync.ports import Database, UnitOfWork
from tests.support.builders import ORG, a_delivery, a_node, an_object, an_opening, node_key, object_key, only
from tests.support.costs import grows
from tests.support.manual_clock import NOW_MS

pytestmark = pytest.mark.parametrize(
    "place", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.mark.parametrize(
    ("node_id", "ahead_ms"), [("n1", -1), ("n1", 60_000), ("n2", -1)], ids=["its own", "not yet due", "another node's"]
)
def test_whether_something_is_due_costs_the_same_whatever_the_backlog(
    database: Database, node_id: str, ahead_ms: int
) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        uow.objects.save_many([an_object(f"o{number}") for number in range(count)])
        uow.deliveries.save_many(
            [a_delivery(f"o{number}", node_id, due_at_ms=NOW_MS + ahead_ms) for number in range(count)]
        )

    assert not grows(database, lambda uow: uow.deliveries.has_due(node_key("n1"), NOW_MS), fill)


def test_a_claim_costs_what_it_takes_whatever_the_backlog(database: Database) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        uow.objects.save_many([an_object(f"o{number}") for number in range(count)])
        uow.deliveries.save_many([a_delivery(f"o{number}", "n1") for number in range(count)])

    assert not grows(database, lambda uow: uow.deliveries.claim_due(node_key("n1"), NOW_MS, limit=5), fill)


def test_what_was_delivered_long_ago_costs_a_claim_nothing(database: Database) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        uow.objects.save_many([an_object(f"o{number}") for number in range(count)])
        uow.deliveries.save_many([a_delivery(f"o{number}", "n1", DeliveryState.CONSUMED) for number in range(count)])

    assert not grows(database, lambda uow: uow.deliveries.claim_due(node_key("n1"), NOW_MS, limit=5), fill)


def test_few_matches_among_many_objects_are_found_by_an_index(database: Database) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        uow.objects.save_many([an_object(f"o{number}", ObjectStatus.NOT_READY) for number in range(count)])
        uow.objects.save_many([an_object("zz")])

    def updated(uow: UnitOfWork) -> object:
        wanted = frozenset({ObjectStatus.READY, ObjectStatus.DELETED})
        return uow.object_lists.page(Selection(ORG, "model", statuses=wanted), START, 10)

    assert not grows(database, updated, fill)


def test_publishing_to_one_node_costs_the_same_in_a_large_fleet(database: Database) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        for number in range(count):
            uow.nodes.save(a_node(f"n{number}"))

    assert not grows(database, lambda uow: uow.deliveries.open_many([an_opening("o1", only("n7"))]), fill)


def test_registering_costs_what_is_addressed_to_the_node_whatever_else_there_is(database: Database) -> None:
    def fill(uow: UnitOfWork, count: int) -> None:
        uow.objects.save_many(
            [an_object(f"o{number}", destination_type="camera") for number in range(count)]
            + [an_object("mine", destination_type="edge", destination_id="n1")]
        )

    def register(uow: UnitOfWork) -> None:
        uow.deliveries.open_for_node(node_key("n1"), NOW_MS)
        uow.deliveries.remove(object_key("mine"), node_key("n1"))

    assert not grows(database, register, fill)
