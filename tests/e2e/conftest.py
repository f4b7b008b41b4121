"""Deployments for the stories. A fleet is shared by the tests of a module, each of which uses object types of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.deployment import Deployment, deployment
from tests.support.fleet import Fleet, running_fleet

ENGINES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="module", params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Of the cloud; None is SQLite."""
    if request.param == "sqlite":
        yield None
    else:
        with request.getfixturevalue("postgres_server").database() as url:
            yield url


@pytest.fixture(scope="module")
def fleet(database_url: str | None) -> Iterator[Fleet]:
    """On each engine. Its directory has a short name, for a Unix socket, and goes at once: some tests leave 100 MB."""
    with (
        tempfile.TemporaryDirectory(prefix="edgesync-") as directory,
        running_fleet(Path(directory), database_url) as fleet,
    ):
        yield fleet


@pytest.fixture
def deployed() -> Iterator[Deployment]:
    """One test's own, on SQLite, with nothing started."""
    with tempfile.TemporaryDirectory(prefix="edgesync-") as directory, deployment(Path(directory)) as deployed:
        yield deployed
