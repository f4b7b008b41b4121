"""One side of a transfer each."""

from __future__ import annotations

import pytest

from common.domain.ids import cloud_of
from common.domain.publishing import LocalNode
from tests.support.sides import ORG, Side


@pytest.fixture
def cloud() -> Side:
    return Side(LocalNode())


@pytest.fixture
def edge() -> Side:
    side = Side(LocalNode("edge", "n1", ORG))
    side.register(cloud_of(ORG))
    return side
