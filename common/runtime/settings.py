"""What a setting is, and how configuration can be wrong.

A setting is declared once, as a field of a frozen dataclass in `common.runtime.config`:

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Link:
        poll_interval_seconds: int = setting(
            "HTTPPollingInterval", "HTTP_POLLING_INTERVAL", integer(1, 65535, unit="seconds"), 10,
            "Longest pause between two polls.", roles=ESS_ONLY,
        )

From the declaration come the value in the file and in the environment (`settings_reader`), the example file and the
table of the documentation (`example`), and a default that tests and embedding programs get by calling `Link()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Generic, NoReturn, TypeVar

T = TypeVar("T")

_DECLARATION = "setting"
_MASK = "********"


class Role(StrEnum):
    """Which of the two services a node is."""

    CSS = "CSS"
    ESS = "ESS"


BOTH = frozenset(Role)
CSS_ONLY = frozenset({Role.CSS})
ESS_ONLY = frozenset({Role.ESS})


def printable(text: str) -> str:
    """The text with everything escaped that would break a line or move a terminal's cursor."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class ConfigError(Exception):
    """The configuration is not usable; the operator has to change it.

    `problems` holds one line per problem: the setting and where it was set, what is wrong, what to write instead.
    """

    exit_status = 98

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = [printable(each) for each in problems]
        super().__init__("\n".join(self.problems))


class ConfigNotLoaded(ConfigError):
    """The configuration file cannot be read, or is not a configuration file."""

    exit_status = 99


class StartError(Exception):
    """The service cannot start, for a reason the operator can act on; its text is one complete sentence."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What one setting breaks, without its name and origin, which the reader adds."""

    key: str
    sentence: str


class BadValue(ValueError):
    """A text is not a value of its kind; `instead` overrides what the kind says is expected."""

    def __init__(self, wrong: str, instead: str = "") -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.instead = instead


class Secret:
    """A text that shows itself only to who asks with `reveal`: not in logs, tracebacks, dumps or pickles."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __str__(self) -> str:
        return _MASK if self._text else ""

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """A type of value as an operator writes it."""

    #: Raises BadValue, and nothing else, for a text that is no value of this kind.
    parse: Callable[[str], T]
    #: The text an operator would write for a value; masks what is secret.
    show: Callable[[T], str]
    #: What may be written, as it reads after "write".
    expects: str
    #: Whether an empty text is a value (otherwise it is an error in the file, and "not set" in the environment).
    takes_empty: bool = False
    is_secret: bool = False
    #: A sentence to warn with when this text is accepted all the same.
    caution: Callable[[str], str | None] = lambda _text: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting(Generic[T]):
    """One declared setting."""

    key: str
    variable: str
    kind: Kind[T]
    default: T
    default_on_ess: T
    summary: str
    roles: frozenset[Role]
    #: Other spellings accepted in the file.
    aliases: tuple[str, ...]
    example: str

    def default_for(self, role: Role) -> T:
        return self.default_on_ess if role is Role.ESS else self.default


def setting(
    key: str,
    variable: str,
    kind: Kind[T],
    default: T,
    summary: str,
    *,
    roles: frozenset[Role] = BOTH,
    default_on_ess: T | None = None,
    aliases: tuple[str, ...] = (),
    example: str = "",
) -> T:
    """Declare a dataclass field as a setting; typed as its value, as `dataclasses.field` is."""
    declaration = Setting(
        key=key,
        variable=variable,
        kind=kind,
        default=default,
        default_on_ess=default if default_on_ess is None else default_on_ess,
        summary=summary,
        roles=roles,
        aliases=aliases,
        example=example,
    )
    return field(default=default, metadata={_DECLARATION: declaration})


def declared(group: type[Any]) -> dict[str, Setting[Any]]:
    """The settings of a group, by the name of their field, in the order of declaration."""
    return {each.name: each.metadata[_DECLARATION] for each in fields(group) if _DECLARATION in each.metadata}
