"""How a delivery becomes a row, and a row a delivery."""

from __future__ import annotations

from common.domain.delivery import Delivery, DeliveryState
from common.domain.ids import NodeKey, ObjectKey
from common.store.keys import DELIVERY_KEY
from common.store.session import Row
from common.store.tables import deliveries

#: What `delivery_of` reads, in its order.
DELIVERY_COLUMNS = [
    deliveries.c[name] for name in (*DELIVERY_KEY, "instance", "state", "due_at_ms", "attempts", "message", "was_sent")
]


def delivery_of(row: Row) -> Delivery:
    """A delivery from the DELIVERY_COLUMNS."""
    org, object_type, object_id, node_type, node_id, instance, state, due_at_ms, attempts, message, was_sent = row
    return Delivery(
        ObjectKey(org, object_type, object_id),
        NodeKey(org, node_type, node_id),
        instance,
        DeliveryState(state),
        due_at_ms,
        attempts,
        message,
        bool(was_sent),
    )


def row_of(delivery: Delivery) -> dict[str, object]:
    return {
        "org": delivery.object.org,
        "type": delivery.object.type,
        "id": delivery.object.id,
        "node_type": delivery.node.type,
        "node_id": delivery.node.id,
        "instance": delivery.instance,
        "state": delivery.state.value,
        "due_at_ms": delivery.due_at_ms,
        "attempts": delivery.attempts,
        "message": storable(delivery.message),
        "was_sent": delivery.was_sent,
    }


def storable(text: str) -> str:
    """A peer's words without the one character that PostgreSQL cannot store."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text
