"""The kinds of values settings have, each strict: what is not clearly a value is refused, never guessed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from common.domain.errors import InvalidRequest
from common.domain.labels import format_labels, parse_labels
from common.domain.names import is_valid_name
from common.runtime.settings import BadValue, Kind, Secret

E = TypeVar("E", bound=StrEnum)

_TRUE = frozenset({"1", "true", "t"})
_FALSE = frozenset({"0", "false", "f"})
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_OCTAL_MODE = re.compile(r"[0-7]{3,4}")
_HOST = re.compile(r"[^\s/@\[\]?#]+")
_PEM_MARK = "-----BEGIN "
_SHOWN_CHARACTERS = 60
#: They travel in a header.
_LONGEST_LABELS = 4096


@dataclass(frozen=True, slots=True, repr=False)
class PemSource:
    """PEM text, or the path of a file that holds it; empty when not set."""

    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.text)

    def __str__(self) -> str:
        return "(PEM text)" if self.is_pem else self.text

    def __repr__(self) -> str:
        return f"PemSource({str(self)!r})"

    @property
    def is_pem(self) -> bool:
        return _PEM_MARK in self.text

    def path_below(self, root: Path) -> Path:
        """The file meant: a relative path lies below `root`. Only for a source that is set and no PEM text."""
        return root / self.text

    def is_missing(self, root: Path) -> bool:
        """Whether it names a file that is not there."""
        if not self.text or self.is_pem:
            return False
        return not os.path.isfile(self.path_below(root))  # noqa: PTH113 - Path.is_file raises for a name that is too long


def absolute(path: Path) -> Path:
    """The path from the root, without `.` and `..`; symbolic links stay what they are, as an operator named them."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve follows links, Path.absolute keeps `..`


def quoted(text: str) -> str:
    """A value as it can stand in a one-line message, whatever bytes it is made of."""
    return ascii(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")


def boolean() -> Kind[bool]:
    """`true` or `false`. `yes` and `on` are refused: the reference reads them as false, most people as true."""

    def parse(text: str) -> bool:
        word = text.lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise BadValue(f"is {quoted(text)}, which is neither true nor false")

    return Kind(parse=parse, show=lambda value: "true" if value else "false", expects="true or false")


def integer(low: int, high: int, *, unit: str = "", scale: int = 1) -> Kind[int]:
    """A decimal number from `low` to `high` of `unit`; the value counts in units `scale` times as small."""
    expects = f"a whole number from {low} to {high}" + (f" ({unit})" if unit else "")

    def parse(text: str) -> int:
        if not _WHOLE_NUMBER.fullmatch(text):
            hint = " (a comment needs a line of its own)" if "#" in text else ""
            raise BadValue(f"is {quoted(text)}, which is not a whole number{hint}")
        number = int(text)
        if not low <= number <= high:
            raise BadValue(f"is {number}, which is out of range")
        return number * scale

    return Kind(parse=parse, show=lambda value: str(value // scale), expects=expects)


def labels() -> Kind[str]:
    """Labels of a node; the value is the text they travel in."""

    def parse(text: str) -> str:
        try:
            written = format_labels(parse_labels(text))
        except InvalidRequest as error:
            raise BadValue(f"is {quoted(text)}: {error}") from error
        if len(written) > _LONGEST_LABELS:
            raise BadValue(f"is longer than {_LONGEST_LABELS} characters")
        return written

    return Kind(parse=parse, show=str, expects="name=value,name=value", takes_empty=True)


def octal_mode() -> Kind[int]:
    """Permissions of a file as octal digits, up to 0777."""

    def parse(text: str) -> int:
        if not _OCTAL_MODE.fullmatch(text) or int(text, 8) > 0o777:
            raise BadValue(f"is {quoted(text)}, which is no set of file permissions")
        return int(text, 8)

    return Kind(parse=parse, show=lambda value: f"{value:04o}", expects="octal digits such as 0660")


def text() -> Kind[str]:
    """Any text, inner spaces included."""
    return Kind(parse=str, show=str, expects="a text", takes_empty=True)


def name() -> Kind[str]:
    """A name as organizations, types and ids have, or nothing."""

    def parse(text: str) -> str:
        if text and not is_valid_name(text):
            raise BadValue(f"is {quoted(text)}, which is not a valid name")
        return text

    return Kind(
        parse=parse, show=str, expects="letters, numbers and any of ! # $ * - . @ ^ _ | ~ only", takes_empty=True
    )


def host() -> Kind[str]:
    """A host name or address without scheme, port and path, or nothing."""

    def parse(text: str) -> str:
        bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        if bare and not (_HOST.fullmatch(bare) and bare.isprintable()):
            raise BadValue(f"is {quoted(text)}, which is not a host name")
        return bare

    return Kind(parse=parse, show=str, expects="the host alone, such as css.example.com", takes_empty=True)


def file_name() -> Kind[str]:
    """A file name without directory."""

    def parse(text: str) -> str:
        if "/" in text or text in {".", ".."} or not text.isprintable():
            raise BadValue(f"is {quoted(text)}, which is not a plain file name")
        return text

    return Kind(parse=parse, show=str, expects="a file name without directory")


def directory() -> Kind[Path]:
    """A directory; a relative one is meant below the working directory of the service."""

    def parse(text: str) -> Path:
        try:
            return absolute(Path(text))
        except OSError as error:
            raise BadValue(f"is {quoted(text)}, and the working directory it is relative to is gone") from error

    return Kind(parse=parse, show=str, expects="a directory")


def secret() -> Kind[Secret]:
    """A text that is shown nowhere."""
    return Kind(parse=Secret, show=str, expects="a text", takes_empty=True, is_secret=True)


def pem() -> Kind[PemSource]:
    """PEM text, or the path of a file with it."""
    return Kind(parse=PemSource, show=str, expects="a path, or PEM text", takes_empty=True)


def choice(
    words: type[E],
    *,
    synonyms: Mapping[str, E] | None = None,
    cautions: Mapping[str, str] | None = None,
    refused: Mapping[str, str] | None = None,
) -> Kind[E]:
    """One of the words of an enumeration, in any case.

    `synonyms` are other words for the same values, `cautions` what to warn of when a word is used, and `refused` what
    to write instead of a word that other versions know.
    """
    by_word = {member.value.lower(): member for member in words} | dict(synonyms or {})
    sentences = cautions or {}
    replacements = refused or {}

    def parse(text: str) -> E:
        word = text.strip().lower()
        if word in replacements:
            raise BadValue(f"is {quoted(text)}, which does not exist in this version", replacements[word])
        if word not in by_word:
            raise BadValue(f"is {quoted(text)}, which is not one of the choices")
        return by_word[word]

    return Kind(
        parse=parse,
        show=str,
        expects=_enumerated([member.value for member in words]),
        caution=lambda text: sentences.get(text.strip().lower()),
    )


def choices(one: Kind[E]) -> Kind[tuple[E, ...]]:
    """A comma list of what `one` takes; repeats are dropped."""

    def parse(text: str) -> tuple[E, ...]:
        return tuple(dict.fromkeys(one.parse(item.strip()) for item in text.split(",")))

    def caution(text: str) -> str | None:
        return next((sentence for item in text.split(",") if (sentence := one.caution(item))), None)

    return Kind(
        parse=parse,
        show=",".join,
        expects=f"{one.expects} (several with commas)",
        caution=caution,
    )


def _enumerated(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]
