"""From text to an expression over labels.

    any         = all { ("||" | "or") all }
    all         = term { ("&&" | "and") term }
    term        = ("!" | "not") term | "(" any ")" | "has" "(" name ")" | comparison
    comparison  = name ("==" | "=" | "!=" | "<" | "<=" | ">" | ">=") value
                | name ["not"] "in" "(" value { "," value } ")"
    value       = a word, a number, or text in single or double quotes, in which a backslash keeps the next character

Words of the language are understood in any case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from common.domain.errors import InvalidRequest
from common.domain.label_expressions import (
    OPERATORS,
    All,
    AnyOf,
    Comparison,
    Expression,
    Has,
    Literal,
    Membership,
    Not,
    number_of,
)
from common.domain.labels import MAX_NAME_CHARACTERS, is_label_name

MAX_EXPRESSION_CHARACTERS = 4_000
#: How deep parentheses and negations nest.
MAX_DEPTH = 32

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<symbol> && | \|\| | == | != | <= | >= | [=<>!(),] )
    | (?P<quoted> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' )
    | (?P<word> [^\s&|=<>!(),"'\\]+ )
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class ExpressionError(InvalidRequest):
    """The expression is not understood; `position` counts characters from 0."""

    def __init__(self, problem: str, position: int) -> None:
        super().__init__(f"{problem}, at character {position + 1} of the expression.")
        self.position = position
        self._problem = problem

    def within(self, place: str) -> ExpressionError:
        """The same error, saying where the expression is."""
        return ExpressionError(f"{place}: {self._problem}", self.position)


@lru_cache(maxsize=1_024)
def parse_expression(text: str) -> Expression:
    """Raises ExpressionError. What was parsed before is remembered."""
    if len(text) > MAX_EXPRESSION_CHARACTERS:
        raise ExpressionError(f"More than {MAX_EXPRESSION_CHARACTERS} characters", MAX_EXPRESSION_CHARACTERS)
    if (position := text.find("\0")) >= 0:
        raise ExpressionError("A character that no store keeps", position)
    return _Parser(text).parse()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.text[:MAX_NAME_CHARACTERS])


class _Parser:
    """Recursive descent, one token ahead."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens_of(text)
        self._next = next(self._tokens)

    def parse(self) -> Expression:
        expression = self._any(depth=0)
        if self._next.kind != "end":
            raise self._unexpected("&&, || or the end")
        return expression

    def _any(self, depth: int) -> Expression:
        operands = self._chain(self._all, ("||", "or"), depth)
        return operands[0] if len(operands) == 1 else AnyOf(operands)

    def _all(self, depth: int) -> Expression:
        operands = self._chain(self._term, ("&&", "and"), depth)
        return operands[0] if len(operands) == 1 else All(operands)

    def _chain(
        self, operand: Callable[[int], Expression], between: tuple[str, str], depth: int
    ) -> tuple[Expression, ...]:
        operands = [operand(depth)]
        while self._takes(*between):
            operands.append(operand(depth))
        return tuple(operands)

    def _term(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"Nested deeper than {MAX_DEPTH} levels", self._next.position)
        if self._takes("!", "not"):
            return Not(self._term(depth + 1))
        if self._takes("("):
            inner = self._any(depth + 1)
            self._expect(")")
            return inner
        if self._takes("has"):
            self._expect("(")
            name = self._name()
            self._expect(")")
            return Has(name)
        return self._comparison()

    def _comparison(self) -> Expression:
        name = self._name()
        if self._takes("not"):
            self._expect("in")
            return Membership(name, self._values(), is_negated=True)
        if self._takes("in"):
            return Membership(name, self._values())
        symbol = "==" if self._next.text == "=" else self._next.text
        if self._next.kind != "symbol" or symbol not in OPERATORS:
            raise self._unexpected("a comparison")
        self._advance()
        return Comparison(name, symbol, self._value())

    def _name(self) -> str:
        if self._next.kind != "word" or not is_label_name(self._next.text):
            raise self._unexpected("the name of a label")
        return self._advance().text

    def _values(self) -> tuple[Literal, ...]:
        self._expect("(")
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _value(self) -> Literal:
        if self._next.kind not in ("word", "quoted"):
            raise self._unexpected("a value")
        token = self._advance()
        if token.kind == "word":
            return Literal(token.text)
        text = _ESCAPED.sub(r"\1", token.text[1:-1])
        return Literal(text, is_text=number_of(text) is not None)

    def _takes(self, *texts: str) -> bool:
        """Go past the next token if it is one of these."""
        if self._next.kind == "quoted" or self._next.text.lower() not in texts:
            return False
        self._advance()
        return True

    def _expect(self, text: str) -> None:
        if not self._takes(text):
            raise self._unexpected(text)

    def _advance(self) -> _Token:
        token, self._next = self._next, next(self._tokens)
        return token

    def _unexpected(self, wanted: str) -> ExpressionError:
        return ExpressionError(f"Expected {wanted} instead of {self._next}", self._next.position)


def _tokens_of(text: str) -> Iterator[_Token]:
    position = 0
    end = len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None:
            at = position + len(text[position:]) - len(text[position:].lstrip())
            problem = "The quotation has no end" if text[at] in "\"'" else f"{text[at]!r} has no meaning here"
            raise ExpressionError(problem, at)
        kind = found.lastgroup or ""
        yield _Token(kind, found[kind], found.start(kind))
        position = found.end()
    yield _Token("end", "", len(text))
    # The parser looks one token ahead, and may do so from the end.
    yield _Token("end", "", len(text))
