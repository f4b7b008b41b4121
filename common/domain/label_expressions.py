"""Expressions over labels: `purpose == demo && (cpu >= 4 or has(gpu))`.

A comparison with a label that the node does not have is false, whichever the operator; `!(site == lab)` is therefore true
of a node without a site, and `site != lab` is not. Numbers compare as numbers where both sides are numbers, everything
else character by character; a quoted value is never a number.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from common.domain.labels import RESERVED_WORDS, Labels

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_BARE = re.compile(r"[A-Za-z0-9_./:@+*-]+")

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value to compare with."""

    text: str
    #: Written in quotes, although it looks like a number.
    is_text: bool = False

    @property
    def number(self) -> Decimal | None:
        return None if self.is_text else number_of(self.text)

    def __str__(self) -> str:
        is_plain = not self.is_text and _BARE.fullmatch(self.text) and self.text.lower() not in RESERVED_WORDS
        return self.text if is_plain else quoted(self.text)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The label compares with the value like this."""

    name: str
    operator: str
    value: Literal

    def __str__(self) -> str:
        return f"{self.name} {self.operator} {self.value}"


@dataclass(frozen=True, slots=True)
class Membership:
    """The label has one of these values, or has none of them."""

    name: str
    values: tuple[Literal, ...]
    is_negated: bool = False

    def __str__(self) -> str:
        return f"{self.name} {'not in' if self.is_negated else 'in'} ({', '.join(map(str, self.values))})"


@dataclass(frozen=True, slots=True)
class Has:
    """The node has the label, whatever its value."""

    name: str

    def __str__(self) -> str:
        return f"has({self.name})"


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression

    def __str__(self) -> str:
        return f"!{self.operand}" if isinstance(self.operand, Has | Not) else f"!({self.operand})"


@dataclass(frozen=True, slots=True)
class All:
    """Two or more, all of which have to hold."""

    operands: tuple[Expression, ...]

    def __str__(self) -> str:
        return " && ".join(map(_in_parentheses, self.operands))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Two or more, one of which has to hold."""

    operands: tuple[Expression, ...]

    def __str__(self) -> str:
        return " || ".join(map(_in_parentheses, self.operands))


Expression: TypeAlias = Comparison | Membership | Has | Not | All | AnyOf


def is_satisfied(expression: Expression, labels: Labels) -> bool:
    """Does it hold for a node with these labels?"""
    match expression:
        case Comparison(name, symbol, value):
            return name in labels and _compares(labels[name], symbol, value)
        case Membership(name, values, is_negated):
            return name in labels and is_negated != any(_compares(labels[name], "==", value) for value in values)
        case Has(name):
            return name in labels
        case Not(operand):
            return not is_satisfied(operand, labels)
        case All(operands):
            return all(is_satisfied(operand, labels) for operand in operands)
        case AnyOf(operands):
            return any(is_satisfied(operand, labels) for operand in operands)


def number_of(text: str) -> Decimal | None:
    """The decimal number that the text writes out, without an exponent; None when it is something else."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _compares(label: str, symbol: str, value: Literal) -> bool:
    compare = OPERATORS[symbol]
    right = value.number
    left = number_of(label) if right is not None else None
    if left is not None and right is not None:
        return compare(left, right)
    return compare(label, value.text)


def _in_parentheses(operand: Expression) -> str:
    return f"({operand})" if isinstance(operand, All | AnyOf) else str(operand)
