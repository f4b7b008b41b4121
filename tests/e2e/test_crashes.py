"""The short form of `python -m tests.crash.run`: a few kills at random moments, on each engine."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.crash.report import MIB, Plan
from tests.crash.scenario import prepared

# Restarting on a busy machine takes its time.
pytestmark = pytest.mark.timeout(300)


def test_nothing_is_lost_torn_or_repeated_by_kills_at_random_moments(database_url: str | None) -> None:
    plan = Plan(
        kills=6,
        large_bytes=24 * MIB,
        up_bytes=12 * MIB,
        bytes_per_second=16 * MIB,
        seconds_between_kills=(0.2, 1.0),
    )

    with (
        tempfile.TemporaryDirectory(prefix="edgesync-crash-") as directory,
        prepared(Path(directory), database_url, plan) as scenario,
    ):
        report = scenario.perform(print)

    print(*report.lines(), sep="\n")  # noqa: T201 - shown when the test fails
    assert report.problems == []
