"""Groups, labels, reviews and placement in memory: the ports of `common.sync.groups`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from common.domain.addressing import GROUP_TYPE
from common.domain.delivery import DeliveryState, opening
from common.domain.ids import NodeKey
from common.domain.labels import Labels, LabelSource, effective
from common.domain.objects import SENDING, ObjectStatus, SyncObject
from common.sync.groups import Group, PlacementEngine, Review
from tests.support.memory_tables import MemoryTables

_GONE = (DeliveryState.DELETING, DeliveryState.DELETED)


class MemoryLabelStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._labels = tables.labels

    def of_node(self, node: NodeKey) -> dict[LabelSource, dict[str, str]]:
        found = {source: self._labels.find((node, source)) for source in LabelSource}
        return {source: dict(labels) for source, labels in found.items() if labels}

    def of_nodes(self, nodes: Sequence[NodeKey]) -> dict[NodeKey, dict[str, str]]:
        return {node: effective(self.of_node(node)) for node in nodes}

    def replace(self, node: NodeKey, source: LabelSource, labels: Labels) -> None:
        self._labels.put((node, source), dict(labels))


class MemoryGroupStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._groups = tables.groups
        self._lists = tables.group_lists
        self._members = tables.group_members

    def find(self, org: str, name: str) -> Group | None:
        return self._groups.find((org, name))

    def list_of_org(self, org: str) -> list[Group]:
        return sorted((group for group in self._groups if group.org == org), key=lambda group: group.name)

    def save(self, group: Group, listed: Sequence[NodeKey]) -> None:
        self._groups.put((group.org, group.name), group)
        self._lists.put((group.org, group.name), (group.name, frozenset(listed)))

    def remove(self, org: str, name: str) -> None:
        self._groups.remove((org, name))
        self._lists.remove((org, name))

    def listed(self, org: str, name: str) -> list[NodeKey]:
        return sorted(self._listed(org, name))

    def listing(self, node: NodeKey) -> set[str]:
        return {name for name, nodes in self._lists if node in nodes}

    def listed_among(self, org: str, name: str, nodes: Sequence[NodeKey]) -> set[NodeKey]:
        return set(nodes) & self._listed(org, name)

    def members(self, org: str, name: str, *, after: NodeKey | None, limit: int | None) -> list[NodeKey]:
        members = sorted(node for group, node in self._members if (node.org, group) == (org, name))
        return [node for node in members if after is None or node > after][:limit]

    def members_among(self, org: str, name: str, nodes: Sequence[NodeKey]) -> set[NodeKey]:
        return {node for node in nodes if (node, name) in self._members}

    def count_members(self, org: str, name: str) -> int:
        return sum((node.org, group) == (org, name) for group, node in self._members)

    def of_node(self, node: NodeKey) -> set[str]:
        return {group for group, member in self._members if member == node}

    def add_members(self, org: str, name: str, nodes: Sequence[NodeKey]) -> None:
        for node in nodes:
            self._members.put((node, name), (name, node))

    def remove_members(self, org: str, name: str, nodes: Sequence[NodeKey]) -> None:
        for node in nodes:
            self._members.remove((node, name))

    def _listed(self, org: str, name: str) -> frozenset[NodeKey]:
        entry = self._lists.find((org, name))
        return entry[1] if entry else frozenset()


class MemoryGroupDeliveryStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._objects = tables.objects
        self._deliveries = tables.deliveries

    def open_for_members(self, org: str, name: str, nodes: Sequence[NodeKey], now_ms: int) -> None:
        for item in sorted(self._addressed(org, name), key=lambda item: item.instance):
            for node in sorted(nodes):
                standing = self._deliveries.find((item.key, node))
                if item.status in SENDING and (standing is None or standing.state in _GONE):
                    opened = opening(item.key, node, item.instance, item.is_deliverable, now_ms)
                    was_sent = standing is not None and standing.was_sent
                    self._deliveries.put((item.key, node), replace(opened, was_sent=was_sent))

    def withdraw_from(self, org: str, name: str, nodes: Sequence[NodeKey], now_ms: int) -> None:
        for item in self._addressed(org, name):
            for node in nodes:
                standing = self._deliveries.find((item.key, node))
                if standing is None or item.is_placed or item.status is ObjectStatus.DELETED:
                    continue
                if not standing.was_sent or standing.state is DeliveryState.DELETED:
                    self._deliveries.remove((item.key, node))
                elif standing.state is not DeliveryState.DELETING:
                    told = replace(standing, state=DeliveryState.DELETING, due_at_ms=now_ms, attempts=0)
                    self._deliveries.put((item.key, node), told)

    def _addressed(self, org: str, name: str) -> list[SyncObject]:
        addressed = (org, GROUP_TYPE, name)
        return [
            item
            for item in self._objects
            if item.is_own and (item.key.org, item.meta.destination_type, item.meta.destination_id) == addressed
        ]


class MemoryReviewStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._reviews = tables.reviews

    def save(self, review: Review) -> None:
        self._reviews.put(_subject(review), review)

    def first(self) -> Review | None:
        return next(iter(self._reviews), None)

    def find(self, review: Review) -> Review | None:
        return self._reviews.find(_subject(review))

    def remove(self, review: Review) -> None:
        self._reviews.remove(_subject(review))


class MemoryPlacementStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def engine_of(self, org: str) -> PlacementEngine:
        return self._tables.placements.find((org,)) or PlacementEngine.OUTSIDE

    def choose(self, org: str, engine: PlacementEngine) -> None:
        self._tables.placements.put((org,), engine)

    def policy_objects(self, org: str, *, after: tuple[str, str], limit: int) -> list[SyncObject]:
        found = [
            item
            for item in self._tables.objects
            if item.key.org == org
            and item.is_own
            and item.meta.destination_policy is not None
            and item.status in SENDING
            and item.key[1:] > after
        ]
        return sorted(found, key=lambda item: item.key)[:limit]


def _subject(review: Review) -> tuple[str, str, str, str]:
    return review.org, review.kind.value, review.type, review.id
