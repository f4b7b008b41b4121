"""Whole worlds from seeds: see `story`.

A failing seed is in the test's name. To play it again with all that happened before, or to play others:

    EDGESYNC_SIM_SEEDS=4711 scripts/test simulation
    EDGESYNC_SIM_SEEDS=1000-3000 scripts/test simulation -q
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.store.sqlite import open_sqlite
from common.sync.ports import Database
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.story import play
from tests.simulation.world import Machine
from tests.support.store_places import OnSqlite, sqlite_template

_CHOSEN = os.environ.get("EDGESYNC_SIM_SEEDS", "")
_FIRST, _, _LAST = _CHOSEN.partition("-")
_SEEDS = range(int(_FIRST), int(_LAST or _FIRST) + 1) if _CHOSEN else range(80)
_SQLITE_SEEDS = range(5000, 5005)


@pytest.mark.parametrize("seed", [*REGRESSIONS, *_SEEDS])
def test_promises_are_kept_in_every_world(seed: int) -> None:
    play(seed)


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sqlite_template(tmp_path_factory.mktemp("simulation") / "empty.db")


@pytest.fixture
def database_numbers() -> Iterator[int]:
    return iter(range(1_000_000))


@pytest.mark.parametrize("seed", _SQLITE_SEEDS)
def test_promises_are_kept_on_sqlite(seed: int, schema: Path, tmp_path: Path, database_numbers: Iterator[int]) -> None:
    def open_database(machine: Machine) -> Database:
        place = OnSqlite(schema, tmp_path / f"{next(database_numbers)}.db")
        return open_sqlite(
            place._path, on_commit=lambda topics: None, clock=machine.clock, audience_of=machine.local.audience
        )

    play(seed, open_database)
