"""Which nodes an object is for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from common.domain.errors import InvalidRequest
from common.domain.ids import NodeKey
from common.domain.metadata import Metadata

#: rest-api 1.7, and what no database keeps as text.
_FORBIDDEN = frozenset("<>\0")

#: A `destinationType` no node has: `destinationID` is the name of a group.
GROUP_TYPE = "@group"


class AudienceKind(StrEnum):
    NODE = "node"  # one node, registered or not yet
    TYPE = "type"  # every node of a type
    LIST = "list"  # exactly the nodes named
    EVERYONE = "everyone"  # every node of the organization
    GROUP = "group"  # the members of a named group, whoever they are by now
    PLACED = "placed"  # whoever is a destination by now: a policy object, whose nodes an engine names


@dataclass(frozen=True, slots=True)
class Audience:
    """The rule that selects destinations inside one organization."""

    org: str
    kind: AudienceKind
    type: str = ""
    id: str = ""
    nodes: tuple[NodeKey, ...] = ()

    def includes(self, node: NodeKey) -> bool:
        """Is a node with this identity addressed? A policy alone addresses nobody, and of a group only the store knows."""
        if node.org != self.org:
            return False
        match self.kind:
            case AudienceKind.EVERYONE:
                return True
            case AudienceKind.TYPE:
                return node.type == self.type
            case AudienceKind.NODE:
                return (node.type, node.id) == (self.type, self.id)
            case AudienceKind.LIST:
                return node in self.nodes
            case AudienceKind.PLACED | AudienceKind.GROUP:
                return False


def audience_of(meta: Metadata) -> Audience:
    """Read the rule out of the metadata (rest-api 4.1: `destinationType`, `destinationID`, `destinationsList`, `destinationPolicy`).

    An empty list is the same as none: everybody (rest-api 1.5).
    """
    org = meta.destination_org_id
    if meta.destination_policy is not None:
        return Audience(org, AudienceKind.PLACED)
    if meta.destinations_list:
        nodes = tuple(dict.fromkeys(parse_destination(org, text) for text in meta.destinations_list))
        return Audience(org, AudienceKind.LIST, nodes=nodes)
    if meta.destination_id:
        if meta.destination_type == GROUP_TYPE:
            return group_audience(org, meta.destination_id)
        return Audience(org, AudienceKind.NODE, meta.destination_type, meta.destination_id)
    if meta.destination_type:
        return Audience(org, AudienceKind.TYPE, meta.destination_type)
    return Audience(org, AudienceKind.EVERYONE)


def group_audience(org: str, name: str) -> Audience:
    """The members of one group."""
    return Audience(org, AudienceKind.GROUP, GROUP_TYPE, name)


def parse_destination(org: str, text: str) -> NodeKey:
    """`type:id` with exactly one colon (rest-api 1.7); anything else is an InvalidRequest."""
    if text.count(":") != 1 or not _FORBIDDEN.isdisjoint(text):
        raise InvalidRequest("A destination is written type:id, with exactly one colon.")
    node_type, node_id = text.split(":")
    if not node_type or not node_id:
        raise InvalidRequest("A destination needs both a type and an id: type:id.")
    return NodeKey(org, node_type, node_id)
