"""The language of expressions over labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    is_satisfied,
    number_of,
)
from common.domain.label_parser import MAX_DEPTH, MAX_EXPRESSION_CHARACTERS, ExpressionError, parse_expression

NODE = {"purpose": "demo", "cpu": "4", "version": "1.10", "site": "hall 7", "empty": ""}


@pytest.mark.parametrize(
    "text",
    [
        "purpose == demo",
        "purpose = demo",
        "purpose==demo",
        'purpose == "demo"',
        "purpose == 'demo'",
        "purpose != test",
        "cpu > 1 && cpu < 10",
        "cpu >= 4 and cpu <= 4",
        "cpu == 4.0",
        "cpu in (1, 4.00)",
        "version > 1.1 || false == true || version == 1.1",
        'version == "1.10"',
        "site == 'hall 7'",
        'site == "hall 7"',
        "site in (lab, 'hall 7')",
        "purpose not in (test, production)",
        "purpose NOT IN (test)",
        "empty == ''",
        "has(cpu)",
        "!has(gpu)",
        "not has(gpu) AND has ( cpu )",
        "!(gpu == yes)",
        "!!has(cpu)",
        "gpu == yes or purpose == demo and cpu == 4",
        "(gpu == yes or purpose == demo) and cpu == 4",
        "purpose < demp",
        "cpu < apple",
    ],
)
def test_it_holds(text: str) -> None:
    assert is_satisfied(parse_expression(text), NODE)


@pytest.mark.parametrize(
    "text",
    [
        "purpose == Demo",
        "gpu == yes",
        "gpu != yes",
        "gpu not in (yes)",
        "gpu < 1",
        "!has(cpu)",
        "cpu == '4.0'",
        "cpu in ('4.0')",
        "cpu < 10 && gpu == yes",
        "(purpose == demo or gpu == yes) and cpu == 5",
        "has(empty) && empty != ''",
        "cpu > 4",
    ],
)
def test_it_does_not_hold(text: str) -> None:
    assert not is_satisfied(parse_expression(text), NODE)


@pytest.mark.parametrize(
    ("text", "position", "problem"),
    [
        ("", 0, "Expected the name of a label instead of the end"),
        ("purpose == ", 11, "Expected a value instead of the end"),
        ("purpose", 7, "Expected a comparison instead of the end"),
        ("purpose demo", 8, "Expected a comparison instead of 'demo'"),
        ("a == b c", 7, "Expected &&, || or the end instead of 'c'"),
        ("a == b &&", 9, "Expected the name of a label"),
        ("a == 'b", 5, "The quotation has no end"),
        ("a == b & c == d", 7, "'&' has no meaning here"),
        ("a in b", 5, "Expected ( instead of 'b'"),
        ("a in ()", 6, "Expected a value instead of ')'"),
        ("a in (b", 7, "Expected ) instead of the end"),
        ("a not b", 6, "Expected in instead of 'b'"),
        ("(a == b", 7, "Expected ) instead of the end"),
        ("a == b)", 6, "Expected &&, || or the end instead of ')'"),
        ("1a == b", 0, "Expected the name of a label instead of '1a'"),
        ("'a' == b", 0, "Expected the name of a label"),
        ("has(in)", 4, "Expected the name of a label instead of 'in'"),
        ("(" * 40 + "a == b" + ")" * 40, MAX_DEPTH + 1, "Nested deeper than 32 levels"),
        ("!" * 40 + "has(a)", MAX_DEPTH + 1, "Nested deeper than 32 levels"),
        ("a == '\0'", 6, "A character that no store keeps"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, position: int, problem: str) -> None:
    with pytest.raises(ExpressionError, match=r"at character \d+ of the expression") as caught:
        parse_expression(text)

    assert caught.value.position == position
    assert str(caught.value).startswith(problem)


def test_an_expression_has_a_longest_length() -> None:
    longest = "a == " + "b" * (MAX_EXPRESSION_CHARACTERS - 5)

    assert parse_expression(longest) == Comparison("a", "==", Literal("b" * (MAX_EXPRESSION_CHARACTERS - 5)))
    with pytest.raises(ExpressionError, match="More than"):
        parse_expression(longest + "b")


def test_a_long_chain_is_no_deep_nesting() -> None:
    assert is_satisfied(parse_expression(" || ".join(["gpu == yes"] * 200 + ["cpu == 4"])), NODE)


names = st.sampled_from(["a", "b", "c.d-e/f", "_x"])
literals = (
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
    | st.sampled_from(["1", "01", "-1.50", "+2", ".5", "in", "has"])
).flatmap(
    lambda text: st.builds(Literal, st.just(text), st.booleans() if number_of(text) is not None else st.just(False))
)
leaves: st.SearchStrategy[Expression] = (
    st.builds(Comparison, names, st.sampled_from(sorted(OPERATORS)), literals)
    | st.builds(Membership, names, st.lists(literals, min_size=1, max_size=3).map(tuple), st.booleans())
    | st.builds(Has, names)
)


def compound(operands: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(operands, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, operands) | st.builds(All, several) | st.builds(AnyOf, several)


expressions = st.recursive(leaves, compound, max_leaves=8)
label_sets = st.dictionaries(names, st.text(max_size=3) | st.sampled_from(["1", "1.0", "-2", "in"]), max_size=4)


@given(expressions)
def test_an_expression_reads_as_it_is_printed(expression: Expression) -> None:
    assert parse_expression(str(expression)) == expression


@given(expressions, label_sets)
def test_the_connectives_are_those_of_logic(expression: Expression, labels: dict[str, str]) -> None:
    holds = is_satisfied(expression, labels)

    assert is_satisfied(Not(expression), labels) is not holds
    assert is_satisfied(All((expression, expression)), labels) is holds
    assert is_satisfied(AnyOf((expression, Not(expression))), labels)


@given(names, literals, label_sets)
def test_exactly_one_order_holds_for_a_label_that_is_there_and_none_for_one_that_is_not(
    name: str, value: Literal, labels: dict[str, str]
) -> None:
    holding = [symbol for symbol in ("<", "==", ">") if is_satisfied(Comparison(name, symbol, value), labels)]

    assert len(holding) == (name in labels)
    assert is_satisfied(Comparison(name, "!=", value), labels) is (name in labels and holding != ["=="])


@given(st.text(max_size=60) | st.text("ab 1().,=!<>&|'\"\\ \n", max_size=60))
def test_any_text_is_an_expression_or_refused_with_a_place_in_it(text: str) -> None:
    position = 0
    try:
        expression = parse_expression(text)
        assert parse_expression(str(expression)) == expression
    except ExpressionError as error:
        position = error.position
    assert 0 <= position <= len(text)
