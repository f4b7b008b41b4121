"""What has to be true whatever happened: at every moment, and once nothing goes wrong any more."""

from __future__ import annotations

import math
from collections.abc import Iterator

from common.domain.delivery import OPEN_STATES, Delivery, DeliveryState
from common.domain.ids import NodeKey, cloud_of
from common.domain.objects import ObjectStatus, Payload, SyncObject
from common.domain.reception import Reception, ReceptionState
from common.runtime.housekeeping import Housekeeper
from common.sync.payloads import PayloadError
from common.sync.ports import UnitOfWork
from common.sync.retention import Retention
from tests.simulation.model import History, Model
from tests.simulation.world import ORG, Edge, Machine, World, digest_of

#: More than any clock is wrong by.
_LONG_MS = 30 * 24 * 3600 * 1000

_SETTLED = {ReceptionState.READY, ReceptionState.SEEN, ReceptionState.CONSUMED}


def check_safety(world: World, model: Model) -> None:
    """Raises AssertionError for a state no node may ever be in."""
    for machine in world.machines:
        for history in model.histories.values():
            item = machine.database.read(lambda uow, history=history: uow.objects.find(history.key))  # type: ignore[misc]
            if item is not None:
                _check_item(machine, history, item)


def _check_item(machine: Machine, history: History, item: SyncObject) -> None:
    where = f"{history.key} at {machine.name}"
    if item.payload is None:
        return
    digest = _stored_digest(machine, item.payload)
    assert digest == item.payload.digest, f"{where}: the stored data has another digest than its record"
    assert digest in history.digests[item.meta.version], f"{where}: data of another version than its metadata"


def _stored_digest(machine: Machine, payload: Payload) -> str | None:
    if payload.size == 0 and payload.is_small:
        return digest_of(b"")
    if payload.is_small:
        return digest_of(machine.database.read(lambda uow: uow.payloads.read_small(payload.name)))
    try:
        return digest_of(machine.payloads.read(payload.name, 0, payload.size))
    except PayloadError:
        return None


def unsettled(world: World, model: Model) -> list[str]:
    """What still differs from how it has to be in the end."""
    complaints = [
        *_at_cloud(world, model),
        *(complaint for edge in world.edges for complaint in _at_edge(world, model, edge)),
    ]
    return sorted(complaints)


def _at_cloud(world: World, model: Model) -> Iterator[str]:
    machine = world.cloud_machine
    yield from machine.database.read(
        lambda uow: list(_open_ends(uow, world, model, "cloud", [edge.node for edge in world.edges]))
    )
    for history in model.of_owner(""):
        item = _find(machine, history)
        if (
            (item.meta.version if item else None) != history.label
            and not (item is not None and history.label is None and item.status is ObjectStatus.DELETED)
            and not (item is None and history.expires)
        ):
            yield f"{history.key} at its owner: {item}, not {history.label}"
        if item is not None and item.status is ObjectStatus.DELETED:
            yield f"{history.key}: its deletion is not complete"
        for edge in world.edges:
            yield from _copy(world, model, history, item, edge)


def _copy(world: World, model: Model, history: History, item: SyncObject | None, edge: Edge) -> Iterator[str]:
    where = f"{history.key} at {edge.name}"
    copy = _find(edge.machine, history)
    reception = edge.machine.database.read(lambda uow: uow.receptions.find(history.key))
    delivery = _delivery(world.cloud_machine, history, edge.node)
    is_addressed = item is not None and model.is_destination(history, item.meta.version, edge.node)
    if is_addressed is None:
        is_addressed = delivery is not None
    if not is_addressed:
        if copy is not None and not history.expires:
            yield f"{where}: still there as {copy.status} {copy.meta.version}"
        if delivery is not None:
            yield f"{where}: a delivery although it is not addressed: {delivery}"
        return
    assert item is not None
    if delivery is None:
        yield f"{where}: no delivery"
    elif not item.is_deliverable:
        if delivery.state is not DeliveryState.WAITING or delivery.instance != item.instance:
            yield f"{where}: {delivery} of an object that is not ready"
    elif reception is None and edge.machine.wipes and delivery.state is DeliveryState.CONSUMED:
        return  # its applications have had it before the edge lost its disk
    else:
        yield from _arrived(where, item, copy, reception, delivery)


def _at_edge(world: World, model: Model, edge: Edge) -> Iterator[str]:
    cloud = cloud_of(ORG)
    yield from edge.machine.database.read(lambda uow: list(_open_ends(uow, world, model, edge.name, [cloud])))
    for history in model.of_owner(edge.name):
        if history.is_lost:
            continue
        where = f"{history.key} of {edge.name}"
        item = _find(edge.machine, history)
        if (item.meta.version if item else None) != history.label:
            yield f"{where} at its owner: {item}, not {history.label}"
        copy = _find(world.cloud_machine, history)
        reception = world.cloud_machine.database.read(lambda uow, key=history.key: uow.receptions.find(key))  # type: ignore[misc]
        delivery = _delivery(edge.machine, history, cloud)
        if item is None:
            if copy is not None or delivery is not None:
                yield f"{where}: deleted, but the cloud has {copy}, {delivery}"
        elif item.status is not ObjectStatus.NOT_READY:
            if delivery is None:
                yield f"{where}: no delivery"
            else:
                yield from _arrived(where, item, copy, reception, delivery)


def _arrived(
    where: str, item: SyncObject, copy: SyncObject | None, reception: Reception | None, delivery: Delivery
) -> Iterator[str]:
    """The current version is there, or has been used up, and the sender knows which."""
    if reception is None or reception.instance != item.instance or reception.state not in _SETTLED:
        yield f"{where}: {item.meta.version} has not arrived: {reception and (reception.state, reception.meta.version)}"
        return
    is_used_up = reception.state is ReceptionState.CONSUMED
    # An application of the cloud that deletes a copy instead of consuming it does not tell the origin.
    fitting = {DeliveryState.CONSUMED, DeliveryState.DELIVERED} if is_used_up else {DeliveryState.DELIVERED}
    if delivery.state not in fitting or delivery.instance != item.instance:
        yield f"{where}: the sender believes {delivery.state}, the receiver says {reception.state}"
    if is_used_up:
        return
    if copy is None or copy.instance != item.instance:
        yield f"{where}: {copy and copy.meta.version} is visible instead of {item.meta.version}"
    elif (
        item.meta.carries_data
        and item.payload is not None
        and (copy.payload is None or copy.payload.digest != item.payload.digest)
    ):
        yield f"{where}: other data than at its owner"


def _open_ends(uow: UnitOfWork, world: World, model: Model, name: str, peers: list[NodeKey]) -> Iterator[str]:
    """Nothing is due, now or later."""
    for peer in peers:
        for delivery in uow.deliveries.list_of_node(peer):
            if delivery.state in OPEN_STATES:
                yield f"{name}: {delivery}"
    upcoming = uow.receptions.next_answer_at(None)
    if upcoming is not None:
        yield f"{name}: an answer is owed"
    for reception in uow.receptions.list_fetching(10):
        if _has_no_end(world, model.histories[reception.object]):
            continue
        yield f"{name}: fetching {reception.object} {reception.meta.version} {reception.coverage.ranges}"
    fan_out = uow.fan_outs.next()
    if fan_out is not None:
        yield f"{name}: {fan_out}"


def _has_no_end(world: World, history: History) -> bool:
    """Can the data of what was announced not be had any more, and nothing newer be announced yet?"""
    owned = _find(world.machine_of(history.owner), history)
    return history.is_lost or history.expires or (owned is not None and not owned.is_deliverable)


def leaks(world: World) -> list[str]:
    """Payloads that nothing refers to and housekeeping does not find, either."""
    found = []
    for machine in world.machines:
        keeper = Housekeeper(machine.database, machine.payloads, Retention(machine.clock.now_ms, 0), machine.clock)
        keeper.delete_discarded(machine.clock.now_ms() + _LONG_MS)
        keeper.delete_orphans(math.inf)
        names = [payload.name for payload in machine.payloads.names()]
        unused = set(names) - machine.database.read(lambda uow, names=names: uow.payloads.referenced(names))  # type: ignore[misc]
        found += [f"{machine.name}: {name}" for name in sorted(unused)]
    return found


def _find(machine: Machine, history: History) -> SyncObject | None:
    return machine.database.read(lambda uow: uow.objects.find(history.key))


def _delivery(machine: Machine, history: History, node: NodeKey) -> Delivery | None:
    return machine.database.read(lambda uow: uow.deliveries.find_many([(history.key, node)])).get((history.key, node))
