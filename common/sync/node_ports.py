"""What the use cases ask of the registered nodes. Naming and locks as in `ports`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from common.domain.ids import NodeKey
from common.domain.nodes import Node


class NodeStore(Protocol):
    """The registered nodes."""

    def find(self, key: NodeKey, *, lock: bool = False) -> Node | None: ...

    def save(self, node: Node) -> None:
        """Insert or replace."""
        ...

    def touch(self, key: NodeKey, now_ms: int) -> None:
        """The node gave a sign of life."""
        ...

    def remove(self, key: NodeKey) -> None: ...

    def list_of_org(self, org: str) -> list[Node]: ...

    def page_of_org(self, org: str, *, after: tuple[str, str], limit: int) -> list[Node]:
        """By type and id (byte order) beyond `after`."""
        ...

    def keys_of_org(self, org: str, *, after: tuple[str, str], limit: int) -> list[NodeKey]:
        """One page of an organization's nodes, by type and id (byte order) beyond `after`."""
        ...

    def existing(self, keys: Sequence[NodeKey]) -> set[NodeKey]:
        """Which of `keys` are registered."""
        ...

    def count(self, org: str | None = None, node_type: str | None = None) -> int: ...

    def lock_org_shared(self, orgs: Iterable[str]) -> None:
        """Publishing: registrations in these organizations wait until this transaction ends, and the reverse. Without it a node
        and an object that appear at the same instant could miss each other (R2).
        """
        ...

    def lock_org(self, org: str) -> None:
        """Registering: see `lock_org_shared`."""
        ...
