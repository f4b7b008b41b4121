"""What is written about the settings is what the code declares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from common.runtime.config.catalogue import GROUPS
from common.runtime.example import render_example, render_table
from common.runtime.settings import declared
from css.config import CssConfig, load_css_config

ROOT = Path(__file__).parents[2]


def test_the_example_is_rendered_from_the_declarations() -> None:
    assert (ROOT / "sync.conf.example").read_text() == render_example(), (
        "run: python -m common.runtime.example > sync.conf.example"
    )


def test_the_documentation_holds_the_table_of_the_declarations() -> None:
    assert render_table() in (ROOT / "docs" / "configuration.md").read_text(), (
        "run: python -m common.runtime.example table, and replace the tables of docs/configuration.md"
    )


def test_the_example_shows_every_setting_once() -> None:
    shown = re.findall(r"^#([A-Z]\w+)", render_example(), flags=re.MULTILINE)

    assert shown == [each.key for group in GROUPS for each in declared(group).values()]


@pytest.mark.parametrize("prefix", [r"#(?=[A-Z])", r"$^"], ids=["uncommented", "as it is"])
def test_the_example_changes_nothing(prefix: str, tmp_path: Path) -> None:
    conf = tmp_path / "sync.conf"
    conf.write_text(re.sub(f"^{prefix}", "", render_example(), flags=re.MULTILINE))

    loaded = load_css_config(conf, {}, strict=True)

    assert loaded.config == CssConfig()
    assert all("is used by the ESS only" in warning for warning in loaded.warnings)
