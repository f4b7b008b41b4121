"""The sender's state machine: one object instance on its way to one destination.

Rules of this file: everything about the state is in TRANSITIONS; nothing here knows whether the sender is a cloud or an
edge, or by which transport a message travels. A cell that is missing is refused (ProtocolViolation). Repeats and
overtakings are cells like any other.

    WAITING ──Readied──► PENDING ──PeerUpdated──► ANNOUNCED ──PeerReceived──► DELIVERED ──PeerConsumed──► CONSUMED
                           ▲  └────────────PeerFailed────────────► FAILED, offered again when due
    any ──Withdrawn──► DELETING ──PeerDroppedIt──► DELETED

What a state asks the outbox to send is `message_of`; when, is `due_at_ms`. A new instance opens the delivery anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from common.domain.errors import ProtocolViolation
from common.domain.ids import NodeKey, ObjectKey
from common.domain.retry import ANNOUNCED_RETRY, FAILURE_RETRY, OFFER_RETRY


class DeliveryState(StrEnum):
    WAITING = "waiting"  # the object is not ready or not active
    PENDING = "pending"  # in the outbox: the update is to be offered, or was and is unanswered
    ANNOUNCED = "announced"  # the peer has the metadata and is fetching data
    DELIVERED = "delivered"  # complete and verified at the peer
    CONSUMED = "consumed"  # the peer's applications have finished with it
    FAILED = "failed"  # the peer reported an error; offered again when due
    DELETING = "deleting"  # the deletion is to be offered, or was and is unanswered
    DELETED = "deleted"  # the peer has dropped its copy


@dataclass(frozen=True, slots=True)
class Readied:
    """The object became ready and active."""


@dataclass(frozen=True, slots=True)
class Offered:
    """The outbox handed the message to the transport; nothing proves arrival yet."""


@dataclass(frozen=True, slots=True)
class PeerUpdated:
    """The peer stored the metadata (`updated`)."""


@dataclass(frozen=True, slots=True)
class PeerReceived:
    """The peer has the whole, verified object (`received`)."""


@dataclass(frozen=True, slots=True)
class PeerConsumed:
    """The peer's applications consumed it (`consumed`)."""


@dataclass(frozen=True, slots=True)
class PeerFailed:
    """The peer gave up on this instance for now (`feedback`); `retry_after_ms` of 0 leaves the time to us."""

    reason: str
    retry_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class PeerLostIt:
    """The peer starts anew and no longer has what was not consumed (registration of a node without its store)."""


@dataclass(frozen=True, slots=True)
class PeerReconnected:
    """The peer registered again with its store intact: what is unanswered is offered at once."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The object was deleted, or the destination no longer is one."""


@dataclass(frozen=True, slots=True)
class PeerDroppedIt:
    """The peer acknowledged the deletion (`ackDelete`, or `deleted` after its applications confirmed)."""


DeliveryEvent = (
    Readied
    | Offered
    | PeerUpdated
    | PeerReceived
    | PeerConsumed
    | PeerFailed
    | PeerLostIt
    | PeerReconnected
    | Withdrawn
    | PeerDroppedIt
)

DELIVERY_EVENTS: tuple[type[DeliveryEvent], ...] = (
    Readied,
    Offered,
    PeerUpdated,
    PeerReceived,
    PeerConsumed,
    PeerFailed,
    PeerLostIt,
    PeerReconnected,
    Withdrawn,
    PeerDroppedIt,
)

_WAITING, _PENDING, _ANNOUNCED = DeliveryState.WAITING, DeliveryState.PENDING, DeliveryState.ANNOUNCED
_DELIVERED, _CONSUMED, _FAILED = DeliveryState.DELIVERED, DeliveryState.CONSUMED, DeliveryState.FAILED
_DELETING, _DELETED = DeliveryState.DELETING, DeliveryState.DELETED

TRANSITIONS: Mapping[DeliveryState, Mapping[type[DeliveryEvent], DeliveryState]] = {
    _WAITING: {
        Readied: _PENDING,
        PeerLostIt: _WAITING,
        PeerReconnected: _WAITING,
        Withdrawn: _DELETING,
    },
    _PENDING: {
        Readied: _PENDING,
        Offered: _PENDING,
        PeerUpdated: _ANNOUNCED,
        PeerReceived: _DELIVERED,
        PeerConsumed: _CONSUMED,
        PeerFailed: _FAILED,
        PeerLostIt: _PENDING,
        PeerReconnected: _PENDING,
        Withdrawn: _DELETING,
    },
    _ANNOUNCED: {
        Readied: _ANNOUNCED,
        Offered: _ANNOUNCED,
        PeerUpdated: _ANNOUNCED,
        PeerReceived: _DELIVERED,
        PeerConsumed: _CONSUMED,
        PeerFailed: _FAILED,
        PeerLostIt: _PENDING,
        PeerReconnected: _ANNOUNCED,
        Withdrawn: _DELETING,
    },
    _DELIVERED: {
        Readied: _DELIVERED,
        PeerUpdated: _DELIVERED,
        PeerReceived: _DELIVERED,
        PeerConsumed: _CONSUMED,
        PeerFailed: _DELIVERED,  # overtaken by its own success
        PeerLostIt: _PENDING,
        PeerReconnected: _DELIVERED,
        Withdrawn: _DELETING,
    },
    _CONSUMED: {
        Readied: _CONSUMED,
        PeerUpdated: _CONSUMED,
        PeerReceived: _CONSUMED,
        PeerConsumed: _CONSUMED,
        PeerFailed: _CONSUMED,
        PeerLostIt: _CONSUMED,  # the application has had it
        PeerReconnected: _CONSUMED,
        Withdrawn: _DELETING,
    },
    _FAILED: {
        Readied: _FAILED,
        Offered: _FAILED,
        PeerUpdated: _ANNOUNCED,
        PeerReceived: _DELIVERED,
        PeerConsumed: _CONSUMED,
        PeerFailed: _FAILED,
        PeerLostIt: _PENDING,
        PeerReconnected: _FAILED,
        Withdrawn: _DELETING,
    },
    _DELETING: {
        Readied: _DELETING,
        Offered: _DELETING,
        PeerUpdated: _DELETING,
        PeerReceived: _DELETING,
        PeerConsumed: _DELETING,
        PeerFailed: _DELETING,
        PeerLostIt: _DELETING,
        PeerReconnected: _DELETING,
        Withdrawn: _DELETING,
        PeerDroppedIt: _DELETED,
    },
    _DELETED: {
        Readied: _DELETED,
        PeerUpdated: _DELETED,
        PeerReceived: _DELETED,
        PeerConsumed: _DELETED,
        PeerFailed: _DELETED,
        PeerLostIt: _DELETED,
        PeerReconnected: _DELETED,
        Withdrawn: _DELETED,
        PeerDroppedIt: _DELETED,
    },
}

#: States that ask for a message to be sent, and so have a due time.
OPEN_STATES = frozenset({_PENDING, _ANNOUNCED, _FAILED, _DELETING})


#: What a node has, or is about to have, of an object (rest-api 3.17).
REPORTED_STATES = frozenset({_PENDING, _ANNOUNCED, _DELIVERED, _CONSUMED, _FAILED})


class OutboxMessage(StrEnum):
    UPDATE = "update"
    DELETE = "delete"


def message_of(state: DeliveryState) -> OutboxMessage | None:
    """What the outbox sends for a delivery in this state when it is due."""
    if state is _DELETING:
        return OutboxMessage.DELETE
    return OutboxMessage.UPDATE if state in OPEN_STATES else None


#: The words of `GET …/destinations` (rest-api 5.4).
STATUS_WORDS: Mapping[DeliveryState, str] = {
    _WAITING: "pending",
    _PENDING: "delivering",
    _ANNOUNCED: "delivering",
    _DELIVERED: "delivered",
    _CONSUMED: "consumed",
    _FAILED: "error",
    _DELETING: "delivering",
    _DELETED: "deleted",
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """The sender's record of one object instance for one destination."""

    object: ObjectKey
    node: NodeKey
    instance: int
    state: DeliveryState
    #: When the outbox sends `message_of(state)`, in ms since 1970; None in states that send nothing.
    due_at_ms: int | None = None
    attempts: int = 0
    #: The peer's words about the last failure.
    message: str = ""
    #: Some instance of the object was offered to the node, so that it may hold a copy; survives reopening.
    was_sent: bool = False

    @property
    def status_word(self) -> str:
        return STATUS_WORDS[self.state]


def opening(object_key: ObjectKey, node: NodeKey, instance: int, is_deliverable: bool, now_ms: int) -> Delivery:
    """A delivery of a new instance: due at once when the object may be sent, waiting otherwise."""
    if is_deliverable:
        return Delivery(object_key, node, instance, _PENDING, due_at_ms=now_ms)
    return Delivery(object_key, node, instance, _WAITING)


def step(delivery: Delivery, event: DeliveryEvent, now_ms: int, jitter: float = 0.5) -> Delivery:
    """Advance one delivery by one event; `jitter` in [0, 1) spreads retries. Raises ProtocolViolation for a cell not in the table."""
    state = TRANSITIONS[delivery.state].get(type(event))
    if state is None:
        raise ProtocolViolation(f"{type(event).__name__} while the delivery is {delivery.state}.")
    match event:
        case Offered():
            # Counted before sending: a crash after the send must not give the peer an unlimited number of tries.
            attempts = delivery.attempts + 1
            policy = ANNOUNCED_RETRY if state is _ANNOUNCED else OFFER_RETRY
            ceiling = policy.ceiling_ms(attempts)
            due_at_ms = now_ms + ceiling // 2 + int(jitter * ceiling / 2)
            return replace(delivery, state=state, attempts=attempts, due_at_ms=due_at_ms, was_sent=True)
        case PeerUpdated() if delivery.state is not state or state is _ANNOUNCED:
            return replace(delivery, state=state, attempts=0, due_at_ms=now_ms + ANNOUNCED_RETRY.first_ms)
        case PeerFailed() if state is _FAILED:
            attempts = max(delivery.attempts, 1)  # the offer that failed is counted already
            delay = event.retry_after_ms or FAILURE_RETRY.first_ms + FAILURE_RETRY.delay_ms(attempts, jitter)
            return replace(delivery, state=state, attempts=attempts, due_at_ms=now_ms + delay, message=event.reason)
        case Readied() | PeerLostIt() | PeerReconnected() | Withdrawn() if state in OPEN_STATES:
            if isinstance(event, Withdrawn | Readied) and state is delivery.state:
                return delivery
            return replace(delivery, state=state, attempts=0, due_at_ms=now_ms)
        case _:
            is_open = state in OPEN_STATES
            message = "" if state in (_DELIVERED, _CONSUMED) else delivery.message
            return replace(delivery, state=state, due_at_ms=delivery.due_at_ms if is_open else None, message=message)
