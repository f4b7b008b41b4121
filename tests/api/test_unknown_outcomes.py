"""A connection to the database breaks during a commit: nobody knows whether the change was made (R1, R4)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from common.domain.errors import OutcomeUnknown
from common.sync.ports import UnitOfWork
from tests.support.node_under_test import NodeUnderTest

M1 = "/api/v1/objects/o/t/m1"
#: More than the nodes under test keep in a row: this goes through the payload store.
LARGE = bytes(range(256)) * 20


@pytest.fixture
def css(css: NodeUnderTest, monkeypatch: pytest.MonkeyPatch) -> NodeUnderTest:
    """Its database commits, and says that it does not know."""
    submit = css.database.submit

    def commit_and_break(work: Callable[[UnitOfWork], Any]) -> Future[Any]:
        submit(work).result()
        broken: Future[Any] = Future()
        broken.set_exception(OutcomeUnknown())
        return broken

    css.put(M1)
    monkeypatch.setattr(css.database, "submit", commit_and_break)
    return css


def test_a_publish_that_may_have_been_committed_keeps_its_data(css: NodeUnderTest) -> None:
    assert css.put(M1, LARGE).status == 503

    assert css.call("GET", f"{M1}/data").body == LARGE


def test_data_whose_change_may_have_been_committed_is_kept(css: NodeUnderTest) -> None:
    assert css.call("PUT", f"{M1}/data", LARGE).status == 503

    assert css.call("GET", f"{M1}/data").body == LARGE
