"""What the pages point to exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"`((?:common|css|ess|scripts|tests|docs|migrations)/[\w./-]+)[`:]")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors_of(page: Path) -> set[str]:
    headings = HEADING.findall(FENCED.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = [
        f"{target}#{anchor}"
        for target, anchor in LINK.findall(FENCED.sub("", page.read_text()))
        if not leads_somewhere(page.parent / target if target else page, anchor)
    ]

    assert dead == []


def leads_somewhere(target: Path, anchor: str) -> bool:
    return target.exists() and (not anchor or anchor in anchors_of(target))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_it_names_is_there(page: Path) -> None:
    missing = [path for path in PATH.findall(page.read_text()) if not (ROOT / path).exists()]

    assert missing == []


def test_the_map_names_modules_that_are_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| `((?:common|css|ess)[\w/]*)` \| (.+) \|$", text, re.MULTILINE)
    assert rows

    missing = [
        f"{folder}/{module}"
        for folder, modules in rows
        for module in re.findall(r"`([\w/]+\.py)`", modules)
        if not any((ROOT / folder).rglob(module))
    ]

    assert missing == []


def test_the_code_cites_sections_that_are_there() -> None:
    cited = {
        (page, section)
        for module in (ROOT / folder for folder in ("common", "css", "ess"))
        for path in module.rglob("*.py")
        for page, section in re.findall(r"\b(rest-api|wire-protocol) (\d+\.\d+)", path.read_text())
    }
    assert cited

    missing = [
        f"{page} {section}"
        for page, section in sorted(cited)
        if not re.search(rf"^#+ .*\b{re.escape(section)} ", (ROOT / "docs" / f"{page}.md").read_text(), re.MULTILINE)
    ]

    assert missing == []
