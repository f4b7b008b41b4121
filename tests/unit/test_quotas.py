"""Quotas by themselves, and the worker that keeps them true."""

from __future__ import annotations

import pytest

from common.domain.errors import QuotaExceeded
from common.domain.quotas import NOTHING, Quota, QuotaOverride, Usage
from common.sync.quota_ports import Drift
from common.sync.quotas import Quotas, Room
from css.workers.quotas import QuotaWorker
from tests.support.builders import an_object, object_key
from tests.support.manual_clock import ManualClock
from tests.support.memory_store import MemoryDatabase


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def database(clock: ManualClock) -> MemoryDatabase:
    return MemoryDatabase(on_commit=lambda _: None, clock=clock)


@pytest.mark.parametrize(
    ("quota", "before", "after", "fits"),
    [
        (Quota(), Usage(10, 10), Usage(10**9, 10**15), True),
        (Quota(objects=3), Usage(2, 0), Usage(3, 10**15), True),
        (Quota(objects=3), Usage(3, 0), Usage(4, 0), False),
        (Quota(objects=3), Usage(9, 0), Usage(9, 5), True),
        (Quota(objects=3), Usage(9, 0), Usage(8, 0), True),
        (Quota(payload_bytes=3), Usage(1, 3), Usage(2, 3), True),
        (Quota(payload_bytes=3), Usage(1, 3), Usage(1, 4), False),
        (Quota(payload_bytes=3), Usage(1, 9), Usage(1, 8), True),
        (Quota(payload_bytes=3), Usage(1, 9), Usage(1, 10), False),
    ],
)
def test_a_quota_is_about_what_grows(quota: Quota, before: Usage, after: Usage, fits: bool) -> None:
    if fits:
        quota.check(before, after)
    else:
        with pytest.raises(QuotaExceeded):
            quota.check(before, after)


def test_an_override_leaves_what_it_does_not_say() -> None:
    default = Quota(5, 6)

    assert QuotaOverride().over(default) == default
    assert QuotaOverride(objects=0).over(default) == Quota(0, 6)
    assert QuotaOverride(payload_bytes=7).over(default) == Quota(5, 7)


def test_what_was_refused_takes_no_room() -> None:
    room = Room({"acme": (Quota(objects=2), Usage(1, 0))})
    with pytest.raises(QuotaExceeded):
        room.take(object_key("a"), NOTHING, Usage(5, 0))
    room.take(object_key("a"), NOTHING, Usage(1, 0))
    with pytest.raises(QuotaExceeded):
        room.take_object(None, an_object("b"))
    room.take(object_key("x", org="other"), NOTHING, Usage(100, 100))


def test_organizations_with_a_quota_become_known(database: MemoryDatabase, clock: ManualClock) -> None:
    quotas = Quotas()
    worker = QuotaWorker(database, quotas, clock)
    item = an_object("a")
    database.write(lambda uow: uow.objects.save_many([item]))
    database.write(lambda uow: uow.quotas.save("acme", QuotaOverride(objects=1)))
    another = an_object("b")

    database.write(lambda uow: quotas.room(uow, ["acme"]).take_object(None, another))
    worker.turn()
    with pytest.raises(QuotaExceeded):
        database.write(lambda uow: quotas.room(uow, ["acme"]).take_object(None, another))


def test_every_organization_is_counted_and_what_is_wrong_corrected(
    database: MemoryDatabase, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for org in ("a", "b", "c"):
        item = an_object(object_key("x", org=org))
        database.write(lambda uow, item=item: uow.objects.save_many([item]))  # type: ignore[misc]
    corrected: list[tuple[str, Drift]] = []
    wrong = Drift(Usage(1, 2), 3)
    store = "tests.support.memory_quotas.MemoryUsageStore"
    monkeypatch.setattr(f"{store}.drift", lambda _, org: wrong if org == "b" else Drift(NOTHING, 0))

    def correct(_: object, org: str, drift: Drift) -> bool:
        corrected.append((org, drift))
        return True

    monkeypatch.setattr(f"{store}.correct", correct)

    assert QuotaWorker(database, Quotas(), clock).sweep() == 1
    assert corrected == [("b", wrong)]
