"""Attempts to exhaust a CSS: an honest caller is answered all the while, and everything is free again afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exhaustion.attacks import ATTACKS
from tests.exhaustion.run import COUNTS, problems_of
from tests.exhaustion.siege import Pace, besiege
from tests.exhaustion.target import Target, running_target

_PACE = Pace(per_second=20, seconds=1)


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with tempfile.TemporaryDirectory(prefix="edgesync-") as directory, running_target(Path(directory)) as target:
        yield target


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_takes_nothing_from_an_honest_caller(target: Target, attack: str) -> None:
    _, count = COUNTS[attack]

    assert problems_of(besiege(target, attack, count, _PACE)) == []
