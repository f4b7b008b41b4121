"""The configuration file: one `Key value` per line.

A line whose first character is `#` is a comment, and so is an indented one (for the reference that is an unknown key,
which it ignores: the effect is the same). The value is everything after the first run of blanks, inner spaces
included; a `#` inside it is part of it. There are no sections, quotes, escapes or continued lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from common.runtime.settings import ConfigNotLoaded

MAX_FILE_BYTES = 1024 * 1024
MAX_LINE_BYTES = 64 * 1024

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BLANKS = " \t"


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value and where it stands."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The entries of a file by key, and what is wrong with the file as such (one line each)."""

    path: Path | None
    entries: dict[str, Entry]
    problems: tuple[str, ...] = ()


def read_settings_file(path: Path, *, may_be_missing: bool) -> SettingsFile:
    """Read and parse a file; one that is missing and may be is empty.

    Raises ConfigNotLoaded when there is no readable text file of reasonable size.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        if may_be_missing:
            return SettingsFile(None, {})
        raise ConfigNotLoaded([f"{path}: there is no such file; name an existing one with -c"]) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigNotLoaded([f"{path}: cannot be read ({reason})"]) from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigNotLoaded([f"{path}: is larger than {MAX_FILE_BYTES} bytes; this is no configuration file"])
    try:
        # An editor may have put a byte order mark first.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigNotLoaded([f"{path} line {line}: is not UTF-8 text; save the file as UTF-8"]) from error
    return parse_settings_file(text, path)


def parse_settings_file(text: str, path: Path) -> SettingsFile:
    """Parse the text of a file. Never raises: what is wrong is in `problems`, what is right in `entries`."""
    entries: dict[str, Entry] = {}
    problems: list[str] = []
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.removesuffix("\r").strip(_BLANKS)
        if not line or line.startswith("#"):
            continue
        if wrong := _wrong_with(line):
            problems.append(f"{path} line {number}: {wrong}")
            continue
        key, value = _split(line)
        if key in entries:
            problems.append(f"{path} line {number}: {key} is already set in line {entries[key].line}; keep one of them")
            continue
        entries[key] = Entry(value, number)
    return SettingsFile(path, entries, tuple(problems))


def _wrong_with(line: str) -> str | None:
    if len(line.encode("utf-8", "surrogatepass")) > MAX_LINE_BYTES:
        return f"is longer than {MAX_LINE_BYTES} bytes; put long values into a file of their own"
    if _CONTROL.search(line):
        return "holds a control character; use plain text"
    return None


def _split(line: str) -> tuple[str, str]:
    key, *rest = re.split(r"[ \t]+", line, maxsplit=1)
    return key, rest[0] if rest else ""
