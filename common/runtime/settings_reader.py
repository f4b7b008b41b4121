"""From a file and an environment to values: default < file < environment.

In the environment a variable named exactly like the option comes first, then the documented name, then (secrets) the
documented name with `_FILE`, which names a file holding the value. An empty variable counts as not set, except for
settings that hold a text: those become empty.

Nothing is guessed and nothing stops at the first mistake: problems and warnings are collected and told together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from common.runtime.config.catalogue import GROUPS, WITHOUT_EFFECT, WithoutEffect
from common.runtime.setting_kinds import quoted
from common.runtime.settings import BadValue, ConfigError, ConfigNotLoaded, Problem, Role, Setting, declared, printable
from common.runtime.settings_file import Entry, SettingsFile, read_settings_file

DEFAULT_CONFIG_FILE = Path("/etc/edge-sync-service/sync.conf")
MAX_SECRET_FILE_BYTES = 64 * 1024

C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)
G = TypeVar("G")


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting as `config show` prints it; secrets are masked."""

    key: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Loaded(Generic[C_co]):
    """A valid configuration, what to warn the operator of, and where each value came from."""

    config: C_co
    warnings: tuple[str, ...]
    settings: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """A value somebody wrote."""

    text: str
    origin: str
    is_variable: bool = False


def read_settings(
    role: Role, path: Path | None, environ: Mapping[str, str], *, strict: bool = False
) -> SettingsReading:
    """Read every declared setting for a node of `role`.

    Without `path` the default file is read if it exists; a named file must exist. With `strict`, unknown keys are
    problems instead of warnings. Raises ConfigNotLoaded when there is no readable file; all else is collected.
    """
    file = read_settings_file(path or DEFAULT_CONFIG_FILE, may_be_missing=path is None)
    reading = SettingsReading(role, file, environ)
    reading.read_declared()
    reading.read_without_effect()
    reading.read_unknown(strict=strict)
    return reading


class SettingsReading:
    """The settings being read: values so far, and what is wrong with them."""

    def __init__(self, role: Role, file: SettingsFile, environ: Mapping[str, str]) -> None:
        self._role = role
        self._file = file
        self._environ = environ
        self._values: dict[str, Any] = {}
        self._shown: dict[str, Shown] = {}
        self._bad_keys: set[str] = set()
        self._problems: list[str] = list(file.problems)
        self._warnings: list[str] = []

    def build(self, group: type[G]) -> G:
        """A group with the values read; a value that is wrong is replaced by its default, so that checks can go on."""
        return group(**{field: self._values[each.key] for field, each in declared(group).items()})

    def loaded(self, config: C, problems: Iterable[Problem], cautions: Iterable[Problem]) -> Loaded[C]:
        """The finished configuration, when neither reading nor the service's own checks found a problem.

        Raises ConfigError, or ConfigNotLoaded when the file itself is broken, with all problems.
        """
        # A value that could not be read is at its default now; what a check says about that would only confuse.
        found = self._problems + [self._located(each) for each in problems if each.key not in self._bad_keys]
        if found:
            raise (ConfigNotLoaded if self._file.problems else ConfigError)(found)
        warnings = self._warnings + [self._located(each) for each in cautions]
        return Loaded(config, tuple(printable(each) for each in warnings), tuple(self._shown.values()))

    def read_declared(self) -> None:
        for group in GROUPS:
            for each in declared(group).values():
                self._read(each)

    def read_without_effect(self) -> None:
        for each in WITHOUT_EFFECT:
            for origin in self._origins_without_effect(each):
                because = f" ({each.reason})" if each.reason else ""
                self._warnings.append(f"{each.key} ({origin}): has no effect in this version{because}")

    def read_unknown(self, *, strict: bool) -> None:
        known = _known_keys()
        for key, entry in self._file.entries.items():
            if key not in known:
                sentence = f"{self._at(entry)}: {quoted(key)} is not a known setting{_did_you_mean(key, known)}"
                (self._problems if strict else self._warnings).append(sentence)

    def _read(self, each: Setting[Any]) -> None:
        default = each.default_for(self._role)
        found = self._find(each)
        if found is not None and self._role not in each.roles:
            owner = next(iter(each.roles))
            self._warnings.append(f"{each.key} ({found.origin}): is used by the {owner} only; this is the {self._role}")
            found = None
        value = default if found is None else self._parsed(each, found, default)
        self._values[each.key] = value
        if self._role in each.roles:
            origin = found.origin if found is not None else "default"
            self._shown[each.key] = Shown(each.key, printable(each.kind.show(value)), origin)

    def _parsed(self, each: Setting[Any], found: _Found, default: Any) -> Any:
        if not found.text and not each.kind.takes_empty:
            self._bad(each.key, found.origin, "has no value", f"{each.kind.expects}, or remove the line")
            return default
        try:
            value = each.kind.parse(found.text)
        except BadValue as error:
            self._bad(each.key, found.origin, error.wrong, error.instead or each.kind.expects)
            return default
        if sentence := each.kind.caution(found.text):
            self._warnings.append(f"{each.key} ({found.origin}): {sentence}")
        return value

    def _bad(self, key: str, origin: str, wrong: str, instead: str) -> None:
        self._bad_keys.add(key)
        self._problems.append(f"{key} ({origin}): {wrong}; write {instead}")

    def _find(self, each: Setting[Any]) -> _Found | None:
        return self._find_in_environment(each) or self._find_in_file(each)

    def _find_in_environment(self, each: Setting[Any]) -> _Found | None:
        found = None
        for variable in dict.fromkeys((each.key, each.variable)):
            text = self._environ.get(variable)
            if text is not None and (text or each.kind.takes_empty):
                found = _Found(text, f"environment {variable}", is_variable=True)
                break
        if each.kind.is_secret and self._role in each.roles and (path := self._environ.get(f"{each.variable}_FILE")):
            return self._find_in_secret_file(each, path, found)
        return found

    def _find_in_secret_file(self, each: Setting[Any], path: str, found: _Found | None) -> _Found:
        origin = f"environment {each.variable}_FILE"
        if found is not None and found.text:
            self._bad(each.key, origin, f"is also set by {found.origin}", "one of them only")
            return found
        try:
            with Path(path).open("rb") as file:
                content = file.read(MAX_SECRET_FILE_BYTES + 1)
            if len(content) > MAX_SECRET_FILE_BYTES:
                raise ValueError(f"larger than {MAX_SECRET_FILE_BYTES} bytes")
            text = content.decode().rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else _reason_of(error)
            self._bad(each.key, origin, f"{quoted(path)} cannot be read ({reason})", "the path of a readable file")
            return _Found("", origin)
        return _Found(text, origin)

    def _find_in_file(self, each: Setting[Any]) -> _Found | None:
        spellings = [key for key in (each.key, *each.aliases) if key in self._file.entries]
        if not spellings:
            return None
        chosen = self._file.entries[spellings[0]]
        for other in spellings[1:]:
            line = self._file.entries[other].line
            self._warnings.append(
                f"{each.key} ({self._at(chosen)}): wins over its other spelling {other} in line {line}"
            )
        return _Found(chosen.text, self._at(chosen))

    def _origins_without_effect(self, each: WithoutEffect) -> Iterator[str]:
        for key in (each.key, *each.aliases):
            if entry := self._file.entries.get(key):
                yield self._at(entry)
        for variable in dict.fromkeys((each.key, each.variable)):
            if self._environ.get(variable):
                yield f"environment {variable}"

    def _located(self, problem: Problem) -> str:
        origin = self._shown[problem.key].origin
        return f"{problem.key} ({'not set' if origin == 'default' else origin}): {problem.sentence}"

    def _at(self, entry: Entry) -> str:
        return f"{self._file.path} line {entry.line}"


def _known_keys() -> frozenset[str]:
    spellings = [(each.key, *each.aliases) for group in GROUPS for each in declared(group).values()]
    spellings += [(each.key, *each.aliases) for each in WITHOUT_EFFECT]
    return frozenset(key for keys in spellings for key in keys)


def _did_you_mean(key: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    by_lower_case = {each.lower(): each for each in known}
    close = get_close_matches(key.lower()[:100], by_lower_case, n=1, cutoff=0.75)
    return f"; did you mean {by_lower_case[close[0]]}?" if close else ""


def _reason_of(error: ValueError) -> str:
    # A decoding error's own text quotes the bytes, which here belong to a secret.
    return "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
