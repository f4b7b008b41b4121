"""Rules of this project that no linter knows."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_MODULE_LINES = 500
FOLDERS_OF_OTHERS = {
    ".git",
    ".venv",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "__pycache__",
    "dist",
}
BANNER = re.compile(r"^\s*#\s*([-=#*~_])\1{7,}")
HOME_FOLDER = re.compile(r"(?<![\w.{}$/-])/(?:home|root|Users)/\w")
INDEX = re.compile(r"index-url|find-links|trusted-host|://|^\s*-", re.MULTILINE)


def files(pattern: str) -> Iterator[Path]:
    for path in sorted(ROOT.rglob(pattern)):
        if path.is_file() and not FOLDERS_OF_OTHERS.intersection(path.relative_to(ROOT).parts):
            yield path


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


MODULES = list(files("*.py"))


def docstring_of(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def test_a_long_module_says_why_it_is_one() -> None:
    too_long = [path for path in MODULES if len(path.read_text().splitlines()) > LONGEST_MODULE_LINES]

    assert [name_of(path) for path in too_long if "on purpose" not in docstring_of(path)] == []


def test_every_module_is_named_after_an_idea() -> None:
    shapeless = {"utils", "util", "helpers", "helper", "misc", "stuff"}

    assert [name_of(path) for path in MODULES if shapeless.intersection((path.stem, *path.parent.parts))] == []


def test_importing_a_package_imports_nothing_else() -> None:
    packages = [path for path in MODULES if path.name == "__init__.py"]

    assert [name_of(path) for path in packages if not has_only_a_docstring(path)] == []


def has_only_a_docstring(path: Path) -> bool:
    return all(
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        for statement in ast.parse(path.read_text()).body
    )


def test_no_comment_is_a_banner() -> None:
    banners = [
        f"{name_of(path)}:{number}"
        for path in MODULES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if BANNER.match(line)
    ]

    assert banners == []


def test_every_package_of_the_services_has_an_init_file() -> None:
    folders = {path.parent for package in ("common", "css", "ess") for path in (ROOT / package).rglob("*.py")}

    assert [name_of(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    places = [
        f"{name_of(path)}:{number}"
        for path in files("*")
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1)
        if HOME_FOLDER.search(line)
    ]

    assert places == []


@pytest.mark.parametrize("lock", ["runtime", "dev"])
def test_the_lock_names_exact_versions_and_no_place_to_get_them_from(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    pins = [line for line in text.splitlines() if line and not line.startswith("#")]

    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+(\[\w+])?==[\w.!+]+( ; .+)?", pin)] == []
    assert INDEX.search("\n".join(pins)) is None


def test_the_lock_covers_every_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert declared(project["dependencies"]) <= locked("runtime")
    assert declared(project["optional-dependencies"]["dev"]) | locked("runtime") <= locked("dev")


def declared(requirements: list[str]) -> set[str]:
    return {distribution(requirement) for requirement in requirements}


def locked(lock: str) -> set[str]:
    lines = (ROOT / "requirements" / f"{lock}.txt").read_text().splitlines()
    return {distribution(line) for line in lines if line and not line.startswith("#")}


def distribution(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()
