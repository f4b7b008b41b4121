"""What a publish would do, without doing it: who would get it, why, and how many bytes would travel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from common.domain.addressing import Audience, AudienceKind
from common.domain.delivery import Delivery, DeliveryState
from common.domain.ids import NodeKey, cloud_of
from common.domain.label_parser import ExpressionError
from common.domain.metadata import Policy
from common.domain.objects import ObjectStatus, SyncObject
from common.domain.policies import constraints_of, is_placed_on
from common.domain.publishing import LocalNode
from common.sync.policy_placement import is_builtin
from common.sync.ports import UnitOfWork
from common.sync.publisher import Publisher, Rehearsal
from common.sync.revision import PutObject

#: Destinations told one by one; all of them are counted.
SHOWN_DESTINATIONS = 1_000

_PAGE = 1_000


class PlannedAction(StrEnum):
    SEND = "send"  # the new version goes to the node
    KEEP = "keep"  # it is a destination, and nothing goes there yet
    WITHDRAW = "withdraw"  # it is a destination no more


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """What the publish would mean for one node."""

    node: NodeKey
    action: PlannedAction
    why: str


@dataclass(slots=True)
class Plan:
    """What a publish would do."""

    #: The first SHOWN_DESTINATIONS.
    destinations: list[PlannedDelivery] = field(default_factory=list)
    count: int = 0
    #: Of payload, to all nodes together.
    payload_bytes: int = 0
    #: Why nothing would be sent; empty when something would.
    reason: str = ""


def plan_publish(uow: UnitOfWork, local: LocalNode, publisher: Publisher, command: PutObject) -> Plan:
    """Runs every check of a publish and changes nothing. Raises what the publish would be refused with."""
    rehearsal = publisher.rehearse(uow, command)
    plan = Plan()
    present = {delivery.node: delivery for delivery in rehearsal.destinations}
    action = PlannedAction.SEND if rehearsal.after.is_deliverable else PlannedAction.KEEP
    for node, why in _addressed(uow, local, rehearsal):
        delivery = present.pop(node, None)
        _add(plan, PlannedDelivery(node, action, why))
        if action is PlannedAction.SEND and not _has_data(delivery, rehearsal):
            plan.payload_bytes += _travelling_bytes(rehearsal.after)
    for node in present:
        _add(plan, PlannedDelivery(node, PlannedAction.WITHDRAW, "no longer addressed"))
    plan.reason = _reason(uow, local, rehearsal.after, has_nodes=plan.count > len(present))
    return plan


def _add(plan: Plan, planned: PlannedDelivery) -> None:
    plan.count += 1
    if len(plan.destinations) < SHOWN_DESTINATIONS:
        plan.destinations.append(planned)


def _addressed(uow: UnitOfWork, local: LocalNode, rehearsal: Rehearsal) -> Iterator[tuple[NodeKey, str]]:
    """Every node that the new version is for, and why."""
    key, meta = rehearsal.after.key, rehearsal.after.meta
    if not local.is_cloud:
        yield cloud_of(key.org), "objects of an edge go to the cloud"
        return
    audience = local.audience(meta)
    match audience.kind:
        case AudienceKind.EVERYONE:
            yield from ((node, "addressed to every node") for node in _nodes(uow, key.org))
        case AudienceKind.TYPE:
            why = f"addressed to nodes of the type {audience.type}"
            yield from ((node, why) for node in _nodes(uow, key.org) if audience.includes(node))
        case AudienceKind.NODE:
            node = NodeKey(key.org, audience.type, audience.id)
            yield from ((node, "addressed by name") for node in uow.nodes.existing([node]))
        case AudienceKind.LIST:
            yield from ((node, "listed in destinationsList") for node in audience.nodes)
        case AudienceKind.GROUP:
            yield from ((node, f"member of the group {audience.id}") for node in _members(uow, audience))
        case AudienceKind.PLACED if is_builtin(uow, key.org):
            policy = meta.destination_policy or Policy()
            yield from ((node, "its labels satisfy the policy") for node in _satisfying(uow, key.org, policy))
        case AudienceKind.PLACED:
            yield from ((delivery.node, "placed by a policy engine") for delivery in rehearsal.destinations)


def _nodes(uow: UnitOfWork, org: str) -> Iterator[NodeKey]:
    after = ("", "")
    while page := uow.nodes.keys_of_org(org, after=after, limit=_PAGE):
        yield from page
        after = page[-1][1:]


def _members(uow: UnitOfWork, audience: Audience) -> Iterator[NodeKey]:
    after = None
    while page := uow.groups.members(audience.org, audience.id, after=after, limit=_PAGE):
        yield from page
        after = page[-1]


def _satisfying(uow: UnitOfWork, org: str, policy: Policy) -> Iterator[NodeKey]:
    after = ("", "")
    while page := uow.nodes.keys_of_org(org, after=after, limit=_PAGE):
        labels = uow.labels.of_nodes(page)
        yield from (node for node in page if is_placed_on(policy, labels[node]))
        after = page[-1][1:]


def _has_data(delivery: Delivery | None, rehearsal: Rehearsal) -> bool:
    """Has the node the data already, because only metadata changes?"""
    before = rehearsal.before
    if delivery is None or before is None or before.meta.data_id != rehearsal.after.meta.data_id:
        return False
    return delivery.state is DeliveryState.DELIVERED and delivery.instance == before.instance


def _travelling_bytes(item: SyncObject) -> int:
    return item.payload.size if item.payload is not None and item.meta.carries_data else 0


def _reason(uow: UnitOfWork, local: LocalNode, item: SyncObject, *, has_nodes: bool) -> str:
    if item.status is ObjectStatus.NOT_READY:
        return "The object waits for its data."
    if item.meta.inactive:
        return "The object is inactive."
    return "" if has_nodes else _why_nobody(uow, local.audience(item.meta), item)


def _why_nobody(uow: UnitOfWork, audience: Audience, item: SyncObject) -> str:
    match audience.kind:
        case AudienceKind.NODE:
            return f"The node {audience.type}:{audience.id} is not registered yet."
        case AudienceKind.TYPE:
            return f"No node of the type {audience.type} is registered yet."
        case AudienceKind.GROUP:
            return f"The group {audience.id} has no members."
        case AudienceKind.PLACED if not is_builtin(uow, item.key.org):
            return "The object waits for an outside policy engine."
        case AudienceKind.PLACED:
            return _problem_of(item.meta.destination_policy) or "No node has labels that satisfy the policy."
        case _:
            return "No node is registered yet."


def _problem_of(policy: Policy | None) -> str:
    try:
        constraints_of(policy or Policy())
    except ExpressionError as error:
        return str(error)
    return ""
