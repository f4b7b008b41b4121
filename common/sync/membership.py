"""Who the members of groups are, and what follows for objects addressed to them. Parts of use cases."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.ids import NodeKey
from common.domain.label_expressions import is_satisfied
from common.domain.label_parser import ExpressionError, parse_expression
from common.domain.labels import Labels
from common.sync import wakeups
from common.sync.groups import Group, Review
from common.sync.ports import UnitOfWork


def review_members(uow: UnitOfWork, review: Review, limit: int, now_ms: int) -> tuple[str, str] | None:
    """The next nodes join or leave the group `review.id`; where to go on, None at the end. A group that is gone has no members."""
    nodes = uow.nodes.keys_of_org(review.org, after=review.after, limit=limit)
    wanted = _wanted(uow, uow.groups.find(review.org, review.id), nodes)
    present = uow.groups.members_among(review.org, review.id, nodes)
    joined = [node for node in nodes if node in wanted and node not in present]
    left = [node for node in nodes if node in present and node not in wanted]
    _change(uow, review.org, review.id, joined, left, now_ms)
    return nodes[-1][1:] if len(nodes) == limit else None


def regroup(uow: UnitOfWork, node: NodeKey, now_ms: int) -> None:
    """The node registered, or its labels changed: it joins and leaves groups. The caller holds the organization's lock."""
    labels = uow.labels.of_nodes([node])[node]
    by_expression = (group for group in uow.groups.list_of_org(node.org) if group.expression is not None)
    wanted = {group.name for group in by_expression if _selects(group, labels)} | uow.groups.listing(node)
    present = uow.groups.of_node(node)
    for name in sorted(wanted - present):
        _change(uow, node.org, name, [node], [], now_ms)
    for name in sorted(present - wanted):
        _change(uow, node.org, name, [], [node], now_ms)


def forget(uow: UnitOfWork, node: NodeKey) -> None:
    """The node unregistered: it is a member of nothing. Its deliveries are gone already."""
    for name in sorted(uow.groups.of_node(node)):
        uow.groups.remove_members(node.org, name, [node])


def _wanted(uow: UnitOfWork, group: Group | None, nodes: Sequence[NodeKey]) -> set[NodeKey]:
    if group is None:
        return set()
    if group.expression is None:
        return uow.groups.listed_among(group.org, group.name, nodes)
    return {node for node, labels in uow.labels.of_nodes(nodes).items() if _selects(group, labels)}


def _selects(group: Group, labels: Labels) -> bool:
    """What is not understood selects nobody: an earlier version may have stored it."""
    try:
        return group.expression is not None and is_satisfied(parse_expression(group.expression), labels)
    except ExpressionError:
        return False


def _change(
    uow: UnitOfWork, org: str, name: str, joined: Sequence[NodeKey], left: Sequence[NodeKey], now_ms: int
) -> None:
    if left:
        uow.groups.remove_members(org, name, left)
        uow.group_deliveries.withdraw_from(org, name, left, now_ms)
    if joined:
        uow.groups.add_members(org, name, joined)
        uow.group_deliveries.open_for_members(org, name, joined, now_ms)
    uow.wake(*map(wakeups.node_topic, [*left, *joined]))
