"""From what an identity provider says about somebody to a principal: the rules an operator writes (docs/oidc.md).

    groups=sync-operators      -> syncadmin;
    groups={org}:admins        -> admin org={org} user={email};
    tenant=acme realm.roles=rw -> user org=acme

The first rule that fits decides. Nobody whom no rule fits is let in, nor anybody whom one rule makes two principals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from common.domain.errors import NotAuthenticated
from common.domain.names import is_valid_name, is_valid_segment
from common.domain.principals import Principal, Role

#: A claim that counts only as far as another one says that the provider has checked it.
_VERIFIED_BY = {"email": "email_verified", "phone_number": "phone_number_verified"}

#: Values of one claim that are looked at, their length, and ways in which one rule may fit.
_MOST_VALUES = 1000
_MOST_CHARACTERS = 2000
_MOST_FITS = 1000

_PLACE = re.compile(r"\{([^{}]+)\}")
_BRACES = re.compile(r"[{}]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

_USER_KEYS = dict.fromkeys((Role.SYNC_ADMIN, Role.ADMIN, Role.OBJECT_ADMIN, Role.USER, Role.NODE_USER), "user")
#: What a rule calls the identity, by role.
_IDENTITY_KEY: Mapping[Role, str] = {**_USER_KEYS, Role.EDGE_NODE: "node", Role.SERVICE: "service"}
#: How many names, joined by `/`, it is made of.
_IDENTITY_PARTS: Mapping[Role, int] = {Role.EDGE_NODE: 2, Role.SERVICE: 3}

Claims = Mapping[str, Any]
Captures = Mapping[str, str]


class BadRule(ValueError):
    """A rule cannot be read; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`claim=pattern`: some value of the claim fits as a whole."""

    claim: str
    pattern: re.Pattern[str]

    def captures(self, claims: Claims) -> Iterator[dict[str, str]]:
        """For each value that fits, what stands at the places of the pattern: names, and nothing else."""
        for value in values_of(claims, self.claim):
            match = self.pattern.fullmatch(value)
            if match is not None and all(map(is_valid_segment, match.groupdict().values())):
                yield match.groupdict()


@dataclass(frozen=True, slots=True)
class Template:
    """Text with `{place}`s: what a condition captured, or else a claim of one value."""

    parts: tuple[str, ...]

    def filled(self, captures: Captures, claims: Claims) -> str | None:
        """None when a claim is missing, or has several values."""
        texts = []
        # Literal text and names of places take turns.
        for index, part in enumerate(self.parts):
            text = part if index % 2 == 0 else _filling(part, captures, claims)
            if text is None:
                return None
            texts.append(text)
        return "".join(texts)


@dataclass(frozen=True, slots=True)
class Rule:
    """Who fits all conditions is this principal."""

    conditions: tuple[Condition, ...]
    role: Role
    org: Template
    identity: Template

    def principals(self, claims: Claims) -> set[Principal]:
        """Everybody the rule takes the bearer of these claims for. Raises NotAuthenticated when there is no end to it."""
        return {
            Principal(self.role, org, identity)
            for captures in self._fits(claims)
            if (org := self.org.filled(captures, claims)) is not None
            and (identity := self.identity.filled(captures, claims)) is not None
            and _is_principal(self.role, org, identity)
        }

    def _fits(self, claims: Claims) -> list[Captures]:
        fits: list[dict[str, str]] = [{}]
        for condition in self.conditions:
            found = list(condition.captures(claims))
            if len(fits) * len(found) > _MOST_FITS:
                raise NotAuthenticated
            fits = [{**fit, **more} for fit in fits for more in found if _agree(fit, more)]
        return list(fits)


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """The rules in their order."""

    rules: tuple[Rule, ...] = ()
    #: As the operator wrote them.
    text: str = ""

    def principal(self, claims: Claims) -> Principal:
        """Raises NotAuthenticated when no rule fits, or the first that does leaves open who it is."""
        for rule in self.rules:
            principals = rule.principals(claims)
            if len(principals) == 1:
                return principals.pop()
            if principals:
                raise NotAuthenticated
        raise NotAuthenticated


def parse_rules(text: str) -> ClaimRules:
    """Rules separated by `;`. Raises BadRule."""
    return ClaimRules(tuple(_rule(part.strip()) for part in text.split(";") if part.strip()), text.strip())


def values_of(claims: Claims, name: str) -> Iterable[str]:
    """The texts a claim consists of: itself, or those of its list; none of an unverified one.

    A name with dots that is no claim itself leads into claims: `realm_access.roles`.
    """
    proof = _VERIFIED_BY.get(name)
    if proof is not None and claims.get(proof) is not True:
        return []
    found = _look_up(claims, name)
    values = found if isinstance(found, list) else [found]
    return [value for value in values[:_MOST_VALUES] if isinstance(value, str) and len(value) <= _MOST_CHARACTERS]


def _look_up(claims: Claims, name: str) -> object:
    if name in claims:
        return claims[name]
    found: object = claims
    for step in name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _filling(place: str, captures: Captures, claims: Claims) -> str | None:
    if place in captures:
        return captures[place]
    values = list(values_of(claims, place))
    return values[0] if len(values) == 1 else None


def _agree(fit: Captures, more: Captures) -> bool:
    return all(fit.get(name, value) == value for name, value in more.items())


def _is_principal(role: Role, org: str, identity: str) -> bool:
    """Are these names such as an account could have? `*` is everybody in access lists, so nobody's name."""
    if (role is Role.SYNC_ADMIN) == bool(org) or (org and not is_valid_segment(org)):
        return False
    parts = identity.split("/")
    return len(parts) == _IDENTITY_PARTS.get(role, 1) and "*" not in parts and all(map(is_valid_segment, parts))


def _rule(text: str) -> Rule:
    left, arrow, right = text.partition("->")
    words = right.split()
    if not arrow or not left.split() or not words:
        raise BadRule(f"{text!r} is not of the form: claim=pattern -> role org=… user=…")
    role = _role(words[0])
    conditions = tuple(_condition(word) for word in left.split())
    given = dict(_named(word) for word in words[1:])
    identity_key = _IDENTITY_KEY[role]
    allowed = {identity_key} if role is Role.SYNC_ADMIN else {"org", identity_key}
    if set(given) - allowed or len(given) != len(words) - 1:
        raise BadRule(f"{text!r}: a {role} is given by {' and '.join(sorted(allowed))}, each once")
    if role is not Role.SYNC_ADMIN and "org" not in given:
        raise BadRule(f"{text!r}: org= is missing")
    if identity_key != "user" and identity_key not in given:
        raise BadRule(f"{text!r}: {identity_key}= is missing")
    return Rule(conditions, role, _template(given.get("org", "")), _template(given.get(identity_key, "{sub}")))


def _role(word: str) -> Role:
    try:
        return Role(word)
    except ValueError:
        raise BadRule(f"{word!r} is not a role; write one of {', '.join(Role)}") from None


def _named(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name or not value:
        raise BadRule(f"{word!r} is not of the form name=value")
    return name, value


def _condition(word: str) -> Condition:
    claim, pattern = _named(word)
    first, *rest = _parts(pattern)
    source = re.escape(first)
    places, texts = rest[::2], rest[1::2]
    if len(set(places)) != len(places) or not all(place.isidentifier() for place in places):
        raise BadRule(f"{word!r}: the places of a pattern need names of letters and numbers, each another one")
    for number, (place, text) in enumerate(zip(places, texts, strict=True), start=1):
        stop = next((character for character in text if not is_valid_name(character)), "")
        if not stop and number < len(places):
            # `a-b-c` would be `a` and `b-c` as well as `a-b` and `c`: two organizations.
            raise BadRule(f"{word!r}: between two places there has to be what no name contains, such as / or :")
        source += f"(?P<{place}>{f'[^{re.escape(stop)}]+' if stop else '.+'}){re.escape(text)}"
    return Condition(claim, re.compile(source, re.DOTALL))


def _template(text: str) -> Template:
    return Template(_parts(text))


def _parts(text: str) -> tuple[str, ...]:
    """Literal text, place, literal text, …"""
    parts = _PLACE.split(text)
    for index, part in enumerate(parts):
        if index % 2 == 0:
            parts[index] = _unescaped(part, text)
    return tuple(parts)


def _unescaped(part: str, whole: str) -> str:
    if _BRACES.search(part) or _BAD_ESCAPE.search(part):
        raise BadRule(f"{whole!r}: a brace without its other one, or a % that is no escape; write %7B, %7D and %25")
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise BadRule(f"{whole!r}: an escape that is not UTF-8") from None
