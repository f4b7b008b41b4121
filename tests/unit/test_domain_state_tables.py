"""Whether the tables are right is judged by reading them: this keeps their printed form up to date."""

from __future__ import annotations

from tests.support.state_tables import DOCUMENT, render


def test_the_documentation_shows_the_tables_as_they_are() -> None:
    assert DOCUMENT.read_text() == render(), "run: python -m tests.support.state_tables"
