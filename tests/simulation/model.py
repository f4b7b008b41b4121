"""What publishers were told, as the checkers remember it: which versions of an object may exist, and which one has to."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.domain.addressing import Audience, AudienceKind
from common.domain.ids import NodeKey, ObjectKey


@dataclass
class History:
    """One object. A label is the `version` in its metadata; every PUT of metadata has its own."""

    key: ObjectKey
    #: The name of the edge that owns it; empty for the cloud.
    owner: str
    audiences: dict[str, Audience] = field(default_factory=dict)
    #: Digests of the data that may be seen with a label; None stands for no data.
    digests: dict[str, set[str | None]] = field(default_factory=dict)
    #: What the last acknowledged request left behind; None after a deletion, and before the first one.
    label: str | None = None
    digest: str | None = None
    #: The owner lost its disk.
    is_lost: bool = False
    #: Destinations named by hand, or about to be, by label; and the last ones that were acknowledged, if they still count.
    named: dict[str, set[NodeKey]] = field(default_factory=dict)
    placed: frozenset[NodeKey] | None = None
    #: Some version could expire: the owner may forget the object at any time, and nobody tells those who have it.
    expires: bool = False
    #: Who once was a destination may become one again, in the same instance.
    comes_again: bool = False

    def may_appear(self, label: str, audience: Audience, digest: str | None) -> None:
        """A request that makes this visible is about to be sent."""
        self.audiences[label] = audience
        self.digests.setdefault(label, set()).add(digest)

    def may_be_placed(self, label: str, nodes: frozenset[NodeKey]) -> None:
        """A request that changes its destinations by hand is about to be sent."""
        self.comes_again = True
        self.named.setdefault(label, set()).update(nodes)


class Model:
    """All objects, by key, and the members of groups."""

    def __init__(self) -> None:
        self.histories: dict[ObjectKey, History] = {}
        #: Whoever was named as a member, and the members of the last definition that was acknowledged.
        self.ever_members: dict[str, set[NodeKey]] = {}
        self.members: dict[str, frozenset[NodeKey]] = {}

    def may_see(self, history: History, label: str, node: NodeKey) -> bool:
        """May this version have come to the node at some time?"""
        audience = history.audiences[label]
        ever_members = self.ever_members.get(audience.id, set()) if audience.kind is AudienceKind.GROUP else set()
        return audience.includes(node) or node in ever_members or node in history.named.get(label, set())

    def is_destination(self, history: History, label: str, node: NodeKey) -> bool | None:
        """Is it to be there in the end? None when that depends on which came first, the node or the change by hand."""
        audience = history.audiences[label]
        members = self.members.get(audience.id, frozenset()) if audience.kind is AudienceKind.GROUP else frozenset()
        is_addressed = audience.includes(node) or node in members
        if history.placed is None or node in history.placed:
            return history.placed is not None or is_addressed
        return None if self.may_see(history, label, node) else False

    def of(self, key: ObjectKey, owner: str) -> History:
        return self.histories.setdefault(key, History(key, owner))

    def of_owner(self, owner: str) -> list[History]:
        return [history for history in self.histories.values() if history.owner == owner]
