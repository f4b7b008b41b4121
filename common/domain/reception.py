"""The receiver's state machine: one object of another node, as it arrives here and is used up.

A reception remembers the newest instance heard of, so that every message is applied once (it is the inbox ledger), and
which answer the origin is still owed. Rules of this file: as in `delivery`.

    (absent) ──NewInstance──► FETCHING ──DataComplete──► READY ──AppReceived──► SEEN ──AppConsumed──► CONSUMED
    any ──OriginDeleted──► DELETED ──AppConfirmedDeletion──► FORGOTTEN
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from common.domain.chunks import Coverage
from common.domain.errors import ProtocolViolation
from common.domain.ids import NodeKey, ObjectKey
from common.domain.metadata import Metadata
from common.domain.retry import OFFER_RETRY


class ReceptionState(StrEnum):
    FETCHING = "fetching"  # metadata here, data still to come
    FAILED = "failed"  # the data did not verify or could not be stored; the same instance is welcome again
    READY = "ready"  # whole and verified: applications may use it
    SEEN = "seen"  # enough applications called received
    CONSUMED = "consumed"  # enough applications called consumed
    DELETED = "deleted"  # the origin deleted it; applications have not confirmed yet
    FORGOTTEN = "forgotten"  # they have; the record goes once the origin knows


class Answer(StrEnum):
    """What the origin is to be told; the words of the wire (wire-protocol 2.1)."""

    UPDATED = "updated"
    RECEIVED = "received"
    CONSUMED = "consumed"
    DELETION_ACKNOWLEDGED = "ackDelete"
    DELETED = "deleted"
    FEEDBACK = "feedback"


@dataclass(frozen=True, slots=True)
class NewInstance:
    """The origin announced a newer instance, or the same one again after a failure."""

    needs_data: bool


@dataclass(frozen=True, slots=True)
class DataComplete:
    """All bytes are here, durable and verified."""


@dataclass(frozen=True, slots=True)
class DataFailed:
    """The bytes cannot be had or do not verify."""

    reason: str


@dataclass(frozen=True, slots=True)
class AppReceived:
    """The last of the expected applications called `received`."""


@dataclass(frozen=True, slots=True)
class AppConsumed:
    """The last of the expected applications called `consumed`."""


@dataclass(frozen=True, slots=True)
class OriginDeleted:
    """The origin deleted the object."""


@dataclass(frozen=True, slots=True)
class AppConfirmedDeletion:
    """The last of the expected applications called `deleted`."""


ReceptionEvent = (
    NewInstance | DataComplete | DataFailed | AppReceived | AppConsumed | OriginDeleted | AppConfirmedDeletion
)

RECEPTION_EVENTS: tuple[type[ReceptionEvent], ...] = (
    NewInstance,
    DataComplete,
    DataFailed,
    AppReceived,
    AppConsumed,
    OriginDeleted,
    AppConfirmedDeletion,
)

_FETCHING, _FAILED, _READY, _SEEN = (
    ReceptionState.FETCHING,
    ReceptionState.FAILED,
    ReceptionState.READY,
    ReceptionState.SEEN,
)
_CONSUMED, _DELETED, _FORGOTTEN = ReceptionState.CONSUMED, ReceptionState.DELETED, ReceptionState.FORGOTTEN

#: NewInstance leads to FETCHING, or straight to READY when no data is needed.
TRANSITIONS: Mapping[ReceptionState, Mapping[type[ReceptionEvent], ReceptionState]] = {
    _FETCHING: {NewInstance: _FETCHING, DataComplete: _READY, DataFailed: _FAILED, OriginDeleted: _DELETED},
    _FAILED: {NewInstance: _FETCHING, DataComplete: _READY, DataFailed: _FAILED, OriginDeleted: _DELETED},
    _READY: {NewInstance: _FETCHING, AppReceived: _SEEN, AppConsumed: _CONSUMED, OriginDeleted: _DELETED},
    _SEEN: {NewInstance: _FETCHING, AppReceived: _SEEN, AppConsumed: _CONSUMED, OriginDeleted: _DELETED},
    _CONSUMED: {NewInstance: _FETCHING, OriginDeleted: _DELETED},
    _DELETED: {NewInstance: _FETCHING, OriginDeleted: _DELETED, AppConfirmedDeletion: _FORGOTTEN},
    _FORGOTTEN: {NewInstance: _FETCHING, OriginDeleted: _DELETED},
}

#: What entering a state owes the origin.
ANSWER_OWED: Mapping[ReceptionState, Answer | None] = {
    _FETCHING: Answer.UPDATED,
    _FAILED: Answer.FEEDBACK,
    _READY: Answer.RECEIVED,
    _SEEN: None,
    _CONSUMED: Answer.CONSUMED,
    _DELETED: Answer.DELETION_ACKNOWLEDGED,
    _FORGOTTEN: Answer.DELETED,
}

#: The same for a repeated update or deletion; an application that has merely seen the object does not change the answer.
ANSWER_OWED_ON_REPEAT: Mapping[ReceptionState, Answer] = {
    **{state: answer for state, answer in ANSWER_OWED.items() if answer is not None},
    _SEEN: Answer.RECEIVED,
}

#: Data that arrives sooner makes `updated` superfluous: `received` says it too, and a request is saved.
UPDATED_DELAY_MS = 500


@dataclass(frozen=True, slots=True)
class Reception:
    """The receiver's record of an object of another node."""

    object: ObjectKey
    origin: NodeKey
    #: Metadata of the newest instance heard of; the visible object may still be an older one.
    meta: Metadata
    state: ReceptionState
    #: The answer the origin has not acknowledged yet, and when it is sent (again), in ms since 1970.
    answer: Answer | None = None
    answer_due_at_ms: int | None = None
    attempts: int = 0
    #: Payload name under which the incoming bytes are staged, and which of them are durable here.
    staged: str = ""
    coverage: Coverage = Coverage()
    message: str = ""

    @property
    def instance(self) -> int:
        return self.meta.instance_id


def first_heard(object_key: ObjectKey, origin: NodeKey, meta: Metadata, needs_data: bool, now_ms: int) -> Reception:
    """The record of an object never heard of before."""
    state = _FETCHING if needs_data else _READY
    return _entering(Reception(object_key, origin, meta, state), state, now_ms)


def first_heard_deleted(object_key: ObjectKey, origin: NodeKey, meta: Metadata, now_ms: int) -> Reception:
    """The record of a deletion of an object never heard of before."""
    return _entering(Reception(object_key, origin, meta, _DELETED), _DELETED, now_ms)


def step(reception: Reception, event: ReceptionEvent, now_ms: int) -> Reception:
    """Advance one reception by one event. Raises ProtocolViolation for a cell not in the table."""
    state = TRANSITIONS[reception.state].get(type(event))
    if state is None:
        raise ProtocolViolation(f"{type(event).__name__} while the reception is {reception.state}.")
    match event:
        case NewInstance(needs_data=False):
            return _entering(reception, _READY, now_ms)
        case DataFailed(reason=reason):
            return replace(_entering(reception, state, now_ms), message=reason)
        case AppReceived():
            return replace(reception, state=state)
        case _:
            return _entering(reception, state, now_ms)


def answer_sent(reception: Reception, now_ms: int, jitter: float = 0.5) -> Reception:
    """The answer was handed to the transport; it is repeated until acknowledged."""
    attempts = reception.attempts + 1
    ceiling = OFFER_RETRY.ceiling_ms(attempts)
    return replace(reception, attempts=attempts, answer_due_at_ms=now_ms + ceiling // 2 + int(jitter * ceiling / 2))


def answer_acknowledged(reception: Reception, answer: Answer) -> Reception:
    """The origin knows. An acknowledgement of an earlier answer changes nothing: a later one replaced it."""
    if reception.answer is not answer:
        return reception
    return replace(reception, answer=None, answer_due_at_ms=None, attempts=0)


def answer_again(reception: Reception, now_ms: int) -> Reception:
    """The origin repeated itself: it gets the same answer again."""
    return replace(reception, answer=ANSWER_OWED_ON_REPEAT[reception.state], answer_due_at_ms=now_ms, attempts=0)


def _entering(reception: Reception, state: ReceptionState, now_ms: int) -> Reception:
    answer = ANSWER_OWED[state]
    due = now_ms if answer else None
    if answer is Answer.UPDATED:
        due = now_ms + UPDATED_DELAY_MS
    return replace(reception, state=state, answer=answer, answer_due_at_ms=due, attempts=0, message="")
