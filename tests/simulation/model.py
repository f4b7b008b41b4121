"""What publishers were told, as the checkers remember it: which versions of an object may exist, and which one has to."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.domain.addressing import Audience
from common.domain.ids import ObjectKey


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

    def may_appear(self, label: str, audience: Audience, digest: str | None) -> None:
        """A request that makes this visible is about to be sent."""
        self.audiences[label] = audience
        self.digests.setdefault(label, set()).add(digest)


class Model:
    """All objects, by key."""

    def __init__(self) -> None:
        self.histories: dict[ObjectKey, History] = {}

    def of(self, key: ObjectKey, owner: str) -> History:
        return self.histories.setdefault(key, History(key, owner))

    def of_owner(self, owner: str) -> list[History]:
        return [history for history in self.histories.values() if history.owner == owner]
