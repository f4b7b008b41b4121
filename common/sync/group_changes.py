"""Administrators' use cases about groups, labels and placement. One method is (part of) one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from common.domain.addressing import GROUP_TYPE
from common.domain.errors import InvalidRequest, NotFound
from common.domain.ids import CLOUD, NodeKey
from common.domain.label_parser import parse_expression
from common.domain.labels import Labels, LabelSource, check_labels
from common.domain.names import is_valid_segment
from common.sync.groups import Group, PlacementEngine, Review, ReviewKind
from common.sync.ports import UnitOfWork
from common.sync.reviews import Reviews

#: Of one organization: each is looked at when a node registers.
MAX_GROUPS = 1_000
MAX_LISTED_NODES = 10_000


class Groups:
    """Consequences for a small fleet are there on return; for a large one they follow in the background."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._reviews = Reviews(now_ms)

    def define(
        self, uow: UnitOfWork, org: str, name: str, expression: str | None, listed: Sequence[NodeKey] = ()
    ) -> None:
        """Create or change a group: by an expression, or without one by the nodes that are `listed`. Raises InvalidRequest."""
        if expression is not None:
            parse_expression(expression)
        if len(listed) > MAX_LISTED_NODES:
            raise InvalidRequest(f"A group lists at most {MAX_LISTED_NODES} nodes; use an expression over labels.")
        for node in listed:
            _check_node(node)
        uow.nodes.lock_org(org)
        if uow.groups.find(org, name) is None and len(uow.groups.list_of_org(org)) >= MAX_GROUPS:
            raise InvalidRequest(f"An organization has at most {MAX_GROUPS} groups.")
        uow.groups.save(Group(org, name, expression), sorted(set(listed)))
        self._reviews.start(uow, Review(ReviewKind.GROUP, org, id=name))

    def remove(self, uow: UnitOfWork, org: str, name: str) -> None:
        """Remove a group; what is addressed to it is withdrawn from its members. Raises NotFound."""
        uow.nodes.lock_org(org)
        if uow.groups.find(org, name) is None:
            raise NotFound
        uow.groups.remove(org, name)
        self._reviews.start(uow, Review(ReviewKind.GROUP, org, id=name))

    def label(self, uow: UnitOfWork, node: NodeKey, labels: Labels) -> None:
        """All that administrators say about the node, which may register later. Raises InvalidRequest."""
        _check_node(node)
        check_labels(labels)
        uow.nodes.lock_org(node.org)
        self._set_labels(uow, node, labels)

    def relabel(self, uow: UnitOfWork, node: NodeKey, changes: Mapping[str, str | None]) -> None:
        """Add and replace some of these labels; None removes one. Raises InvalidRequest."""
        _check_node(node)
        uow.nodes.lock_org(node.org)
        labels = {**uow.labels.of_node(node).get(LabelSource.ADMIN, {}), **changes}
        kept = {name: value for name, value in labels.items() if value is not None}
        check_labels(kept)
        self._set_labels(uow, node, kept)

    def choose_engine(self, uow: UnitOfWork, org: str, engine: PlacementEngine) -> None:
        """Who places policy objects from now on. With BUILTIN all of them are placed anew; with OUTSIDE they stay where they are."""
        uow.nodes.lock_org(org)
        uow.placements.choose(org, engine)
        self._reviews.start(uow, Review(ReviewKind.ORGANIZATION, org))

    def _set_labels(self, uow: UnitOfWork, node: NodeKey, labels: Labels) -> None:
        uow.labels.replace(node, LabelSource.ADMIN, labels)
        if uow.nodes.find(node) is not None:
            self._reviews.node_changed(uow, node)


def _check_node(node: NodeKey) -> None:
    if not all(map(is_valid_segment, node)) or node.type in (CLOUD, GROUP_TYPE):
        raise InvalidRequest(f"There can be no node {node.type}:{node.id}.")
