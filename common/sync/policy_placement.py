"""Policy objects on the nodes whose labels satisfy their constraints, where this service is the placement engine.

The destinations are ordinary ones, as if an outside engine had named them (rest-api 3.14). Parts of use cases.
"""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.addressing import Audience, AudienceKind
from common.domain.delivery import DeliveryState
from common.domain.ids import NodeKey, ObjectKey
from common.domain.metadata import Policy
from common.domain.objects import SENDING, SyncObject
from common.domain.policies import is_placed_on
from common.sync import wakeups
from common.sync.groups import PlacementEngine, Review, ReviewKind
from common.sync.ports import UnitOfWork
from common.sync.records import Opening

_NO_MORE = frozenset({DeliveryState.DELETING, DeliveryState.DELETED})


def is_builtin(uow: UnitOfWork, org: str) -> bool:
    """Does this service place the policy objects of the organization?"""
    return uow.placements.engine_of(org) is PlacementEngine.BUILTIN


def review_object(uow: UnitOfWork, review: Review, limit: int, now_ms: int) -> tuple[str, str] | None:
    """The object is placed on the next nodes, or withdrawn from them; where to go on, None at the end."""
    key = ObjectKey(review.org, review.type, review.id)
    item = uow.objects.find(key, lock=True)
    policy = item.meta.destination_policy if item is not None else None
    if item is None or policy is None or item.status not in SENDING or not is_builtin(uow, key.org):
        return None
    nodes = uow.nodes.keys_of_org(key.org, after=review.after, limit=limit)
    present = _present(uow, [(key, node) for node in nodes])
    wanted = {node for node, labels in uow.labels.of_nodes(nodes).items() if is_placed_on(policy, labels)}
    added = [node for node in nodes if node in wanted and (key, node) not in present]
    removed = [node for node in nodes if node not in wanted and (key, node) in present]
    _change(uow, item, added, removed, now_ms)
    return nodes[-1][1:] if len(nodes) == limit else None


def review_node(uow: UnitOfWork, review: Review, limit: int, now_ms: int) -> tuple[str, str] | None:
    """The next policy objects are placed on the node, or withdrawn from it; where to go on, None at the end."""
    node = NodeKey(review.org, review.type, review.id)
    if not is_builtin(uow, node.org) or uow.nodes.find(node) is None:
        return None
    items = uow.placements.policy_objects(node.org, after=review.after, limit=limit)
    labels = uow.labels.of_nodes([node])[node]
    present = _present(uow, [(item.key, node) for item in items])
    for item in items:
        is_wanted = is_placed_on(item.meta.destination_policy or Policy(), labels)
        if is_wanted is not ((item.key, node) in present):
            _change(uow, item, [node] if is_wanted else [], [] if is_wanted else [node], now_ms)
    return items[-1].key[1:] if len(items) == limit else None


def review_organization(uow: UnitOfWork, review: Review, limit: int, now_ms: int) -> tuple[str, str] | None:
    """The next policy objects are reviewed, each by itself; where to go on, None at the end."""
    if not is_builtin(uow, review.org):
        return None
    items = uow.placements.policy_objects(review.org, after=review.after, limit=limit)
    for item in items:
        uow.reviews.save(Review(ReviewKind.OBJECT, *item.key))
    if items:
        uow.wake(wakeups.REVIEW)
    return items[-1].key[1:] if len(items) == limit else None


def _present(uow: UnitOfWork, ids: Sequence[tuple[ObjectKey, NodeKey]]) -> set[tuple[ObjectKey, NodeKey]]:
    """Which of these are destinations by now."""
    return {each for each, delivery in uow.deliveries.find_many(ids).items() if delivery.state not in _NO_MORE}


def _change(
    uow: UnitOfWork, item: SyncObject, added: Sequence[NodeKey], removed: Sequence[NodeKey], now_ms: int
) -> None:
    if removed:
        uow.deliveries.withdraw_nodes(item.key, removed, now_ms)
    if added:
        audience = Audience(item.key.org, AudienceKind.LIST, nodes=tuple(added))
        uow.deliveries.open_many([Opening(item.key, item.instance, audience, item.is_deliverable, now_ms)])
    uow.wake(*map(wakeups.node_topic, [*added, *removed]))
