"""What a destination policy says about nodes, when its constraints are expressions over labels."""

from __future__ import annotations

from common.domain.label_expressions import Expression, is_satisfied
from common.domain.label_parser import ExpressionError, parse_expression
from common.domain.labels import Labels
from common.domain.metadata import Policy


def constraints_of(policy: Policy) -> tuple[Expression, ...]:
    """All of which a node has to satisfy. Raises ExpressionError, which tells which constraint it is about."""
    constraints = []
    for number, text in enumerate(policy.constraints or (), start=1):
        try:
            constraints.append(parse_expression(text))
        except ExpressionError as error:
            raise error.within(f"Constraint {number}") from error
    return tuple(constraints)


def is_placed_on(policy: Policy, labels: Labels) -> bool:
    """Do these labels satisfy every constraint? A policy without constraints is for every node, one with a mistake for none."""
    try:
        return all(is_satisfied(constraint, labels) for constraint in constraints_of(policy))
    except ExpressionError:
        return False
