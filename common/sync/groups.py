"""What the use cases ask of stored groups, labels and placement. The promises are held by `tests/contract/test_stores_groups.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from common.domain.ids import NodeKey
from common.domain.labels import Labels, LabelSource
from common.domain.objects import SyncObject


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of nodes of an organization, by a list of nodes or by an expression over labels."""

    org: str
    name: str
    #: None for a group by list.
    expression: str | None = None


class PlacementEngine(StrEnum):
    """Who decides on which nodes the policy objects of an organization are placed."""

    #: An engine that reads policies and changes destinations (rest-api 3.1, 3.14).
    OUTSIDE = "outside"
    #: This service: constraints are expressions over the labels of nodes.
    BUILTIN = "builtin"


class ReviewKind(StrEnum):
    """What is to be looked at again, page by page."""

    GROUP = "group"  # every node: is it a member?
    OBJECT = "object"  # every node: does the object's policy place it there?
    NODE = "node"  # every policy object: is it placed on the node?
    ORGANIZATION = "organization"  # every policy object: each has to be reviewed


@dataclass(frozen=True, slots=True)
class Review:
    """A change whose consequences are worked out in the background. There is one of each kind and subject at most."""

    kind: ReviewKind
    org: str
    #: Type and id of the object or node; for a group its name alone.
    type: str = ""
    id: str = ""
    #: Type and id of the last node or object looked at; empty names come before every other.
    after: tuple[str, str] = ("", "")


class LabelStore(Protocol):
    """The labels of nodes, registered or not."""

    def of_node(self, node: NodeKey) -> dict[LabelSource, dict[str, str]]:
        """By source; a source without a label is left out."""
        ...

    def of_nodes(self, nodes: Sequence[NodeKey]) -> dict[NodeKey, dict[str, str]]:
        """The labels that count, for each of `nodes`."""
        ...

    def replace(self, node: NodeKey, source: LabelSource, labels: Labels) -> None:
        """All that this source says about the node."""
        ...


class GroupStore(Protocol):
    """Groups, and who their members are. Only registered nodes are members."""

    def find(self, org: str, name: str) -> Group | None: ...

    def list_of_org(self, org: str) -> list[Group]:
        """By name (byte order)."""
        ...

    def save(self, group: Group, listed: Sequence[NodeKey]) -> None:
        """Insert or replace the definition; `listed` are the nodes of a group by list. Members stay as they are."""
        ...

    def remove(self, org: str, name: str) -> None:
        """Remove the definition; members stay as they are."""
        ...

    def listed(self, org: str, name: str) -> list[NodeKey]:
        """The nodes of a group by list, registered or not, in key order."""
        ...

    def listing(self, node: NodeKey) -> set[str]:
        """The names of groups that list the node."""
        ...

    def listed_among(self, org: str, name: str, nodes: Sequence[NodeKey]) -> set[NodeKey]:
        """Which of `nodes` the group lists."""
        ...

    def members(self, org: str, name: str, *, after: NodeKey | None, limit: int | None) -> list[NodeKey]:
        """In key order beyond `after`; all of them without a limit."""
        ...

    def members_among(self, org: str, name: str, nodes: Sequence[NodeKey]) -> set[NodeKey]:
        """Which of `nodes` are members."""
        ...

    def count_members(self, org: str, name: str) -> int: ...

    def of_node(self, node: NodeKey) -> set[str]:
        """The names of groups the node is a member of."""
        ...

    def add_members(self, org: str, name: str, nodes: Sequence[NodeKey]) -> None:
        """Those who are members already are fine."""
        ...

    def remove_members(self, org: str, name: str, nodes: Sequence[NodeKey]) -> None: ...


class GroupDeliveryStore(Protocol):
    """The outbox, seen from groups. Set-based."""

    def open_for_members(self, org: str, name: str, nodes: Sequence[NodeKey], now_ms: int) -> None:
        """Nodes joined: open a delivery of every object on offer (in one of `SENDING`) addressed to the group that has none for
        them, or whose deletion they are being told of.
        """
        ...

    def withdraw_from(self, org: str, name: str, nodes: Sequence[NodeKey], now_ms: int) -> None:
        """Nodes left: withdraw every object addressed to the group from them, unless its destinations were changed by hand.

        A fan-out to the group that is under way in another transaction is waited for first.
        """
        ...


class ReviewStore(Protocol):
    """The queue of reviews."""

    def save(self, review: Review) -> None:
        """Replaces the one of the same kind and subject, and keeps its place."""
        ...

    def first(self) -> Review | None:
        """The oldest one."""
        ...

    def find(self, review: Review) -> Review | None:
        """The one of the same kind and subject."""
        ...

    def remove(self, review: Review) -> None:
        """The one of the same kind and subject."""
        ...


class PlacementStore(Protocol):
    """Who places policy objects, and which there are."""

    def engine_of(self, org: str) -> PlacementEngine:
        """OUTSIDE unless another one was chosen."""
        ...

    def choose(self, org: str, engine: PlacementEngine) -> None: ...

    def policy_objects(self, org: str, *, after: tuple[str, str], limit: int) -> list[SyncObject]:
        """One page of own policy objects in one of `SENDING`, by type and id (byte order) beyond `after`."""
        ...
