"""Domain values in one line, with unremarkable defaults: a test spells out only what matters to it."""

from __future__ import annotations

from typing import Any

from common.domain.addressing import Audience, AudienceKind, group_audience
from common.domain.delivery import OPEN_STATES, Delivery, DeliveryState
from common.domain.ids import NodeKey, ObjectKey, cloud_of
from common.domain.metadata import Metadata
from common.domain.nodes import Node
from common.domain.objects import ObjectStatus, Payload, SyncObject
from common.domain.reception import ANSWER_OWED, Answer, Reception, ReceptionState
from common.sync.records import FanOut, Opening
from tests.support.manual_clock import NOW_MS

ORG = "acme"
INSTANCE = 1_767_225_600_000_000_001


def object_key(object_id: str = "o1", object_type: str = "model", org: str = ORG) -> ObjectKey:
    return ObjectKey(org, object_type, object_id)


def node_key(node_id: str = "n1", node_type: str = "edge", org: str = ORG) -> NodeKey:
    return NodeKey(org, node_type, node_id)


def a_node(key: NodeKey | str = "n1", **fields: Any) -> Node:
    return Node(key if isinstance(key, NodeKey) else node_key(key), **fields)


def an_object(
    key: ObjectKey | str = "o1",
    status: ObjectStatus = ObjectStatus.READY,
    *,
    is_own: bool = True,
    payload: Payload | None = None,
    instance: int = INSTANCE,
    **meta: Any,
) -> SyncObject:
    """`meta` are members of Metadata by their names in Python; without any the object is for everybody."""
    key = key if isinstance(key, ObjectKey) else object_key(key)
    members = Metadata(object_id=key.id, object_type=key.type, destination_org_id=key.org, instance_id=instance, **meta)
    return SyncObject(key, members, status, is_own, payload)


def a_payload(name: str = "p1", size: int = 5, *, is_small: bool = True) -> Payload:
    return Payload(name, size, digest="00" * 32, is_small=is_small)


def a_delivery(
    key: ObjectKey | str = "o1",
    node: NodeKey | str = "n1",
    state: DeliveryState = DeliveryState.PENDING,
    *,
    instance: int = INSTANCE,
    due_at_ms: int = NOW_MS,
    attempts: int = 0,
    message: str = "",
    was_sent: bool = False,
) -> Delivery:
    """The due time applies to states that have one."""
    return Delivery(
        key if isinstance(key, ObjectKey) else object_key(key),
        node if isinstance(node, NodeKey) else node_key(node),
        instance,
        state,
        due_at_ms if state in OPEN_STATES else None,
        attempts,
        message,
        was_sent,
    )


def a_reception(
    key: ObjectKey | str = "o1",
    state: ReceptionState = ReceptionState.FETCHING,
    *,
    origin: NodeKey | None = None,
    instance: int = INSTANCE,
    is_answered: bool = False,
    due_at_ms: int = NOW_MS,
    **fields: Any,
) -> Reception:
    """It owes the answer of its state, due at `due_at_ms`, unless `is_answered`."""
    key = key if isinstance(key, ObjectKey) else object_key(key)
    answer: Answer | None = None if is_answered else ANSWER_OWED[state]
    members = Metadata(
        object_id=key.id, object_type=key.type, destination_org_id=key.org, instance_id=instance, object_size=10
    )
    return Reception(key, origin or cloud_of(key.org), members, state, answer, due_at_ms if answer else None, **fields)


def everyone(org: str = ORG) -> Audience:
    return Audience(org, AudienceKind.EVERYONE)


def nodes_of_type(node_type: str = "edge", org: str = ORG) -> Audience:
    return Audience(org, AudienceKind.TYPE, node_type)


def only(node: NodeKey | str) -> Audience:
    node = node if isinstance(node, NodeKey) else node_key(node)
    return Audience(node.org, AudienceKind.NODE, node.type, node.id)


def listed(*nodes: NodeKey | str) -> Audience:
    keys = tuple(node if isinstance(node, NodeKey) else node_key(node) for node in nodes)
    return Audience(keys[0].org, AudienceKind.LIST, nodes=keys)


def members_of(name: str = "lab", org: str = ORG) -> Audience:
    return group_audience(org, name)


def placed(org: str = ORG) -> Audience:
    return Audience(org, AudienceKind.PLACED)


def an_opening(
    key: ObjectKey | str = "o1",
    audience: Audience | None = None,
    *,
    instance: int = INSTANCE,
    is_deliverable: bool = True,
    now_ms: int = NOW_MS,
) -> Opening:
    key = key if isinstance(key, ObjectKey) else object_key(key)
    return Opening(key, instance, audience or everyone(key.org), is_deliverable, now_ms)


def a_fan_out(
    key: ObjectKey | str = "o1",
    audience: Audience | None = None,
    *,
    instance: int = INSTANCE,
    is_deliverable: bool = True,
    after: NodeKey | None = None,
) -> FanOut:
    key = key if isinstance(key, ObjectKey) else object_key(key)
    return FanOut(key, instance, audience or everyone(key.org), is_deliverable, after)
