"""What the watch over a database has to tell about it, and the colours health makes of that."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from common.domain.errors import InvalidRequest, SyncError, TooManyRequests, Unavailable
from common.rest.health import colour_of
from common.runtime.database_watch import DatabaseWatch
from tests.support.manual_clock import ManualClock


class FailingDatabase:
    """Runs nothing; fails as it is told."""

    parallel_commits = 1
    error: SyncError | None = None

    def submit(self, work: Callable[..., Any]) -> Future[Any]:
        future: Future[Any] = Future()
        if self.error:
            future.set_exception(self.error)
        else:
            future.set_result(None)
        return future

    def write(self, work: Callable[..., Any]) -> Any:
        return self.submit(work).result()

    def read(self, work: Callable[..., Any]) -> Any:
        return self.submit(work).result()

    def close(self) -> None: ...


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def database() -> FailingDatabase:
    return FailingDatabase()


@pytest.fixture
def watch(database: FailingDatabase, clock: ManualClock) -> DatabaseWatch:
    return DatabaseWatch(database, clock)


def use(watch: DatabaseWatch, *, reads: int = 0, writes: int = 0) -> None:
    for call, times in ((watch.read, reads), (watch.write, writes)):
        for _ in range(times):
            try:
                call(lambda uow: None)
            except SyncError:
                pass


def test_reads_and_writes_that_fail_are_counted_apart(database: FailingDatabase, watch: DatabaseWatch) -> None:
    database.error = Unavailable()

    use(watch, reads=2, writes=3)

    assert (watch.health().read_failures, watch.health().write_failures) == (2, 3)


@pytest.mark.parametrize("error", [InvalidRequest(), TooManyRequests()])
def test_what_a_use_case_refuses_by_itself_is_no_failure(
    database: FailingDatabase, watch: DatabaseWatch, error: SyncError
) -> None:
    database.error = error

    use(watch, reads=1, writes=1)

    assert watch.health().since_last_failure_seconds is None
    assert (watch.health().read_failures, watch.health().write_failures) == (0, 0)


def test_an_outage_lasts_from_its_first_failure_to_the_first_success(
    database: FailingDatabase, watch: DatabaseWatch, clock: ManualClock
) -> None:
    database.error = Unavailable()
    use(watch, writes=1)
    clock.advance(seconds=5)
    use(watch, reads=1)
    assert watch.health().last_outage_seconds is None

    clock.advance(seconds=2)
    database.error = None
    use(watch, reads=1)
    clock.advance(seconds=100)

    assert watch.health().last_outage_seconds == 7
    assert watch.health().since_last_failure_seconds == 102


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "red"), (119, "red"), (120, "yellow"), (599, "yellow"), (600, "green")]
)
def test_a_failure_is_red_for_two_minutes_and_yellow_for_ten(
    database: FailingDatabase, watch: DatabaseWatch, clock: ManualClock, seconds: int, expected: str
) -> None:
    database.error = Unavailable()
    use(watch, reads=1)
    clock.advance(seconds=seconds)

    assert colour_of(watch.health(), is_up=True) == expected


def test_a_database_that_does_not_answer_is_red_and_one_without_failures_green(watch: DatabaseWatch) -> None:
    assert colour_of(watch.health(), is_up=False) == "red"
    assert colour_of(watch.health(), is_up=True) == "green"
