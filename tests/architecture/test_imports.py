"""`css`, `ess` and `common` are short names: whoever imports them must get ours."""

import importlib
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUR_PACKAGES = ("common", "css", "ess", "migrations")


@pytest.mark.parametrize("name", OUR_PACKAGES)
def test_the_name_resolves_to_this_tree(name: str) -> None:
    package = importlib.import_module(name)

    assert package.__file__ is not None
    assert Path(package.__file__).resolve() == ROOT / name / "__init__.py"


@pytest.mark.parametrize("name", OUR_PACKAGES)
def test_no_other_distribution_provides_the_name(name: str) -> None:
    assert set(packages_distributions().get(name, [])) <= {"edgesync"}


@pytest.mark.parametrize("name", OUR_PACKAGES)
def test_the_name_is_not_one_of_the_standard_library(name: str) -> None:
    assert name not in sys.stdlib_module_names
