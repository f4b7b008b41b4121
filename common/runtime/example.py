"""What is written about the settings, rendered from their declarations.

python -m common.runtime.example > sync.conf.example
python -m common.runtime.example table      # the table of docs/configuration.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from common.runtime.config.catalogue import GROUPS, WITHOUT_EFFECT
from common.runtime.settings import BOTH, Role, Setting, declared

_WIDTH = 118

_PREFACE = """\
# Configuration of edgesync, of the Cloud Sync Service (CSS) and of the Edge Sync Service (ESS).
#
# One "Key value" per line; the value goes to the end of the line and may contain spaces. A line that begins with # is a
# comment. Every setting is shown once with its default: remove the # and change the value. Environment variables win
# over this file. "edgesync-css -c FILE config check" (or edgesync-ess) says what is wrong, "config show" what applies.
"""


def render_example() -> str:
    """The text of sync.conf.example."""
    return _PREFACE + "".join(f"\n\n# {_title(group)}\n{_section(group)}" for group in GROUPS)


def render_table() -> str:
    """Markdown tables of all settings, and of the keys without effect."""
    lines: list[str] = []
    for group in GROUPS:
        lines += [
            f"### {_title(group)}",
            "",
            "| Key, variable | Of | Default | Values | Meaning |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(each) for each in declared(group).values()]
        lines.append("")
    lines += ["### Accepted without effect", "", "| Key, variable | Why |", "|---|---|"]
    lines += [f"| `{each.key}` `{each.variable}` | {each.reason} |" for each in WITHOUT_EFFECT]
    return "\n".join(lines) + "\n"


def _section(group: type[Any]) -> str:
    return "".join("\n" + "\n".join(_entry(each)) + "\n" for each in declared(group).values())


def _entry(each: Setting[Any]) -> Iterator[str]:
    yield from _comment(each.summary)
    yield from _comment(f"{_roles(each)}; {each.kind.expects}; environment {_variables(each)}.")
    if _differs(each):
        yield from _comment(f"Default on an ESS: {_shown(each, Role.ESS)}.")
    if each.example:
        yield f"# Example: {each.key} {each.example}"
    yield f"#{each.key} {_shown(each, _first_role(each))}".rstrip()


def _row(each: Setting[Any]) -> str:
    default = f"`{_shown(each, _first_role(each))}`" if _shown(each, _first_role(each)) else "empty"
    if _differs(each):
        default += f", on an ESS `{_shown(each, Role.ESS)}`"
    keys = "<br>".join(f"`{key}`" for key in dict.fromkeys((each.key, *each.aliases, *_variables(each).split(" or "))))
    cells = (keys, _roles(each), default, each.kind.expects, each.summary)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)]


def _title(group: type[Any]) -> str:
    return (group.__doc__ or "").split("\n", 1)[0].rstrip(".")


def _roles(each: Setting[Any]) -> str:
    return "CSS and ESS" if each.roles == BOTH else "".join(each.roles)


def _variables(each: Setting[Any]) -> str:
    return f"{each.variable} or {each.variable}_FILE" if each.kind.is_secret else each.variable


def _first_role(each: Setting[Any]) -> Role:
    return min(each.roles)


def _differs(each: Setting[Any]) -> bool:
    return each.roles == BOTH and _shown(each, Role.CSS) != _shown(each, Role.ESS)


def _shown(each: Setting[Any], role: Role) -> str:
    return each.kind.show(each.default_for(role))


if __name__ == "__main__":
    sys.stdout.write(render_table() if sys.argv[1:] == ["table"] else render_example())
