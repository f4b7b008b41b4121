"""A node as the other side knows it."""

from __future__ import annotations

from dataclasses import dataclass

from common.domain.ids import NodeKey


@dataclass(frozen=True, slots=True)
class Node:
    """A registered destination (rest-api 3.16)."""

    key: NodeKey
    communication: str = "http"
    code_version: str = "1.0"
    #: False for a node that loses what it holds when it restarts.
    is_persistent: bool = True
    #: What the peer announced at registration; empty for the reference's nodes.
    capabilities: frozenset[str] = frozenset()
    registered_at_ms: int = 0
    last_seen_at_ms: int = 0
