"""What every AuditStore promises."""

from __future__ import annotations

from dataclasses import replace

from common.sync.audit import AuditEntry, AuditPosition, Outcome
from common.sync.ports import Database, UnitOfWork
from tests.support.manual_clock import NOW_MS

ENTRY = AuditEntry(NOW_MS, "acme", "admin acme/ann", "192.0.2.7", "account.revoke", "acme/camera/c1", Outcome.DONE)


def add(database: Database, *entries: AuditEntry) -> None:
    def work(uow: UnitOfWork) -> None:
        for entry in entries:
            uow.audit.add(entry)

    database.write(work)


def page(
    database: Database, org: str = "acme", before: AuditPosition | None = None, limit: int = 10
) -> list[AuditEntry]:
    return [each.entry for each in database.read(lambda uow: uow.audit.page_of_org(org, before=before, limit=limit))]


def at(seconds: int, outcome: Outcome = Outcome.DONE) -> AuditEntry:
    return replace(ENTRY, at_ms=NOW_MS + seconds * 1000, outcome=outcome)


def test_entries_are_read_as_they_were_added_latest_first(database: Database) -> None:
    add(database, at(1), at(3, Outcome.REFUSED), at(2))

    assert page(database) == [at(3, Outcome.REFUSED), at(2), at(1)]


def test_of_two_at_the_same_time_the_later_added_comes_first(database: Database) -> None:
    first, second = ENTRY, replace(ENTRY, target="other")
    add(database, first)
    add(database, second)

    assert page(database) == [second, first]


def test_an_organization_has_its_own_entries(database: Database) -> None:
    of_service = replace(ENTRY, org="")
    add(database, ENTRY, of_service, replace(ENTRY, org="other"))

    assert page(database) == [ENTRY]
    assert page(database, org="") == [of_service]
    assert page(database, org="nobody") == []


def test_pages_follow_each_other_without_gap_or_repeat(database: Database) -> None:
    entries = [replace(ENTRY, target=str(number)) for number in range(7)]
    add(database, *entries)
    seen: list[AuditEntry] = []
    before: AuditPosition | None = None
    for _ in range(4):
        found = database.read(lambda uow, before=before: uow.audit.page_of_org("acme", before=before, limit=2))  # type: ignore[misc]
        seen += [each.entry for each in found]
        before = found[-1].position

    assert seen == entries[::-1]
    assert page(database, before=before) == []


def test_old_entries_are_forgotten_oldest_first(database: Database) -> None:
    add(database, at(5), at(1), at(3), replace(at(2), org="other"))

    assert database.write(lambda uow: uow.audit.prune(NOW_MS + 4000, 2)) == 2
    assert (page(database), page(database, "other")) == ([at(5), at(3)], [])
    assert database.write(lambda uow: uow.audit.prune(NOW_MS + 4000, 2)) == 1
    assert page(database) == [at(5)]
    assert database.write(lambda uow: uow.audit.prune(NOW_MS + 4000, 2)) == 0
