"""How keys become columns."""

from __future__ import annotations

from common.domain.ids import NodeKey, ObjectKey

#: The columns of an object's key, and of a node's in its own table.
KEY = ("org", "type", "id")

#: A destination beside an object's key; both belong to the same organization.
NODE = ("node_type", "node_id")

DELIVERY_KEY = (*KEY, *NODE)


def key_values(key: ObjectKey | NodeKey) -> dict[str, object]:
    return {"org": key.org, "type": key.type, "id": key.id}


def node_values(node: NodeKey) -> dict[str, object]:
    return {"org": node.org, "node_type": node.type, "node_id": node.id}


def delivery_key_values(key: ObjectKey, node: NodeKey) -> dict[str, object]:
    return {"org": key.org, "type": key.type, "id": key.id, "node_type": node.type, "node_id": node.id}
