"""Who and what: the keys every other module speaks in."""

from __future__ import annotations

from typing import NamedTuple


class ObjectKey(NamedTuple):
    """An object's identity: organization, object type, object id."""

    org: str
    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.org}/{self.type}/{self.id}"


class NodeKey(NamedTuple):
    """A node's identity, as destination or origin: organization, node type, node id."""

    org: str
    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.org}/{self.type}/{self.id}"


#: The cloud's own type and id in every organization (wire-protocol 1.1).
CLOUD = "Cloud"


def cloud_of(org: str) -> NodeKey:
    """The cloud as seen by the nodes of `org`."""
    return NodeKey(org, CLOUD, CLOUD)
