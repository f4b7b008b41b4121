"""The receiver's use cases: take an update in once, make it visible when it is whole, answer until acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from common.domain import reception as machine
from common.domain.chunks import Coverage
from common.domain.errors import Ignored, InvalidRequest, ProtocolViolation
from common.domain.ids import NodeKey, ObjectKey
from common.domain.metadata import Metadata
from common.domain.objects import ObjectStatus, Payload, SyncObject, counted_down
from common.domain.publishing import LocalNode
from common.domain.quotas import Usage, usage_of
from common.domain.reception import Answer, Reception, ReceptionState
from common.domain.services import dropped_by
from common.domain.signing import declaration_of
from common.sync import wakeups
from common.sync.copies import partial_copy
from common.sync.payload_names import payload_name
from common.sync.ports import UnitOfWork
from common.sync.quotas import Quotas
from common.sync.showing import show
from common.sync.webhooks import enqueue

#: What an application may do something with.
_USABLE = frozenset({ObjectStatus.COMPLETELY_RECEIVED, ObjectStatus.RECEIVED})

#: A visible object in one of these gives way to the newer version before its data is here.
_USED_UP = frozenset(
    {
        ObjectStatus.CONSUMED,
        ObjectStatus.DELETED,
        ObjectStatus.PARTIALLY_RECEIVED,
        ObjectStatus.RECEIVER_VERIFICATION_FAILED,
    }
)

#: Answers the cloud gives by the status code of the request itself, over HTTP (wire-protocol 2.9).
IMPLIED_BY_HTTP = frozenset({Answer.UPDATED, Answer.DELETION_ACKNOWLEDGED, Answer.FEEDBACK})

_EMPTY_DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True, slots=True)
class OwedAnswer:
    """One answer for one origin."""

    answer: Answer
    object: ObjectKey
    meta: Metadata
    message: str


class Receiver:
    """Keeps copies of other nodes' objects."""

    def __init__(
        self,
        local: LocalNode,
        now_ms: Callable[[], int],
        random: Callable[[], float],
        implied: frozenset[Answer] = frozenset(),
        quotas: Quotas | None = None,
    ) -> None:
        """Without `quotas` nothing is limited."""
        self._quotas = quotas or Quotas()
        self._local = local
        self._now_ms = now_ms
        self._random = random
        self._implied = implied

    def update_arrived(self, uow: UnitOfWork, key: ObjectKey, meta: Metadata, origin: NodeKey) -> Reception:
        """Take in an announcement. A repeat gets its answer again and changes nothing else.

        Raises Ignored for an older instance, ProtocolViolation for an object this node or another one owns, QuotaExceeded
        when there is no room for its data.
        """
        room = self._quotas.room(uow, [key.org])
        visible = uow.objects.find(key, lock=True)
        if visible is not None and visible.is_own:
            raise ProtocolViolation("This object was created here; another node cannot update it.")
        known = uow.receptions.find(key, lock=True)
        if known is not None:
            self._check_origin(known, origin)
            if meta.instance_id < known.instance:
                raise Ignored
            if meta.instance_id == known.instance and not self._is_welcome_again(known):
                return self._repeated(uow, known)
        needs_data = self._needs_data(meta, visible)
        taken = usage_of(visible)
        room.take(key, taken, Usage(1, meta.object_size if needs_data else taken.payload_bytes))
        reception = self._heard(known, key, meta, origin, needs_data)
        if known is not None and known.staged and known.staged != reception.staged:
            uow.payloads.discard_many([known.staged], self._now_ms())
        self._save(uow, reception)
        if needs_data:
            self._show_partial(uow, visible, reception)
            uow.wake(wakeups.FETCH)
        else:
            self._show_complete(uow, visible, reception, _payload_without_fetch(reception, visible))
        return reception

    def deletion_arrived(self, uow: UnitOfWork, key: ObjectKey, meta: Metadata, origin: NodeKey) -> None:
        """The origin deleted the object. Raises as `update_arrived`."""
        visible = uow.objects.find(key, lock=True)
        if visible is not None and visible.is_own:
            raise ProtocolViolation("This object was created here; another node cannot delete it.")
        known = uow.receptions.find(key, lock=True)
        if known is None and self._local.is_cloud:
            # Nobody here ever saw it: there is no application to tell. An update it has overtaken must not bring it, either.
            unseen = machine.first_heard_deleted(key, origin, meta, self._now_ms())
            self._save(uow, replace(unseen, state=ReceptionState.FORGOTTEN))
            return
        if known is None:
            reception = machine.first_heard_deleted(key, origin, meta, self._now_ms())
        else:
            self._check_origin(known, origin)
            if meta.instance_id < known.instance:
                raise Ignored
            if known.state in (ReceptionState.DELETED, ReceptionState.FORGOTTEN) and meta.instance_id == known.instance:
                self._repeated(uow, known)
                return
            reception = replace(machine.step(known, machine.OriginDeleted(), self._now_ms()), meta=meta, staged="")
            if known.staged and known.state in (ReceptionState.FETCHING, ReceptionState.FAILED):
                uow.payloads.discard_many([known.staged], self._now_ms())
        self._save(uow, replace(reception, coverage=Coverage()))
        self._discard_payload(uow, visible)
        shown = msgspec.structs.replace(meta, deleted=True)
        gone = SyncObject(key, shown, ObjectStatus.DELETED, is_own=False).with_counters_restarted()
        show(uow, gone)

    def piece_is_durable(self, uow: UnitOfWork, key: ObjectKey, instance: int, start: int, end: int) -> Reception:
        """Remember that `[start, end)` would survive a crash here. Raises Ignored when the transfer was superseded."""
        reception = self._transfer(uow, key, instance)
        reception = replace(reception, coverage=reception.coverage.add(start, end))
        uow.receptions.save(reception)
        return reception

    def data_is_wrong(self, uow: UnitOfWork, key: ObjectKey, instance: int) -> None:
        """What arrived is not what was announced: all of it is to be sent again. Raises Ignored."""
        uow.receptions.save(replace(self._transfer(uow, key, instance), coverage=Coverage()))

    def data_complete(
        self, uow: UnitOfWork, key: ObjectKey, instance: int, payload: Payload, data: bytes | None = None
    ) -> None:
        """All bytes are durable and verified: show the new version. `data` are the bytes of a small payload.

        Raises Ignored when the transfer was superseded or is complete already, QuotaExceeded when there is no room any more.
        """
        room = self._quotas.room(uow, [key.org])
        visible = uow.objects.find(key, lock=True)  # the object before its reception, as everywhere
        stepped = machine.step(self._transfer(uow, key, instance), machine.DataComplete(), self._now_ms())
        room.take(key, usage_of(visible), Usage(1, payload.size))
        if data is not None:
            uow.payloads.save_small_many([(payload.name, data)])
        self._save(uow, replace(stepped, staged="", coverage=Coverage()))
        self._show_complete(uow, visible, stepped, payload)
        enqueue(uow, key, stepped.meta, self._local, self._now_ms())

    def data_failed(
        self, uow: UnitOfWork, key: ObjectKey, instance: int, reason: str, *, is_wrong: bool = False
    ) -> None:
        """The bytes cannot be had or, with `is_wrong`, do not verify: tell the origin, keep the previous version.

        Raises Ignored.
        """
        visible = uow.objects.find(key, lock=True) if is_wrong else None
        reception = self._transfer(uow, key, instance)
        failed = machine.step(reception, machine.DataFailed(reason), self._now_ms())
        if reception.staged:
            uow.payloads.discard_many([reception.staged], self._now_ms())
        self._save(uow, replace(failed, staged="", coverage=Coverage()))
        if visible is not None and visible.status is ObjectStatus.PARTIALLY_RECEIVED:
            uow.objects.save_many([replace(visible, status=ObjectStatus.RECEIVER_VERIFICATION_FAILED)])

    def received_by_application(self, uow: UnitOfWork, key: ObjectKey) -> None:
        """Raises InvalidRequest when there is nothing to receive (rest-api 3.15)."""
        item = self._usable(uow, key)
        left = counted_down(item.remaining_receivers)
        status = ObjectStatus.RECEIVED if left == 0 else item.status
        uow.objects.save_many([replace(item, remaining_receivers=left, status=status)])
        reception = uow.receptions.find(key, lock=True)
        if left == 0 and reception is not None and _shows(item, reception):
            self._save(uow, machine.step(reception, machine.AppReceived(), self._now_ms()))

    def consumed_by_application(self, uow: UnitOfWork, key: ObjectKey) -> None:
        """The last of the expected applications ends the life of the copy. Raises InvalidRequest."""
        item = self._usable(uow, key)
        left = counted_down(item.remaining_consumers)
        if left != 0:
            uow.objects.save_many([replace(item, remaining_consumers=left)])
            return
        reception = uow.receptions.find(key, lock=True)
        if reception is not None and _shows(item, reception):
            uow.objects.save_many([replace(item, remaining_consumers=0, status=ObjectStatus.CONSUMED, change=0)])
            self._save(uow, machine.step(reception, machine.AppConsumed(), self._now_ms()))
        elif reception is not None:
            # Consumed while the next version was on its way: only that one matters to the origin now.
            self._discard_payload(uow, item)
            uow.objects.save_many([partial_copy(reception)])

    def deletion_confirmed_by_application(self, uow: UnitOfWork, key: ObjectKey) -> None:
        """An application knows that the object is deleted. Raises InvalidRequest."""
        item = uow.objects.find(key, lock=True)
        if item is None or item.status is not ObjectStatus.DELETED or item.is_own:
            raise InvalidRequest("There is no deletion of this object to confirm.")
        left = counted_down(item.remaining_consumers)
        if left != 0:
            uow.objects.save_many([replace(item, remaining_consumers=left)])
            return
        uow.objects.remove(key)
        reception = uow.receptions.find(key, lock=True)
        if reception is not None:
            self._save(uow, machine.step(reception, machine.AppConfirmedDeletion(), self._now_ms()))

    def claim_answers(self, uow: UnitOfWork, origin: NodeKey | None, limit: int) -> list[OwedAnswer]:
        """Answers due to one origin (None: to any). Each is due again later unless acknowledged."""
        now_ms = self._now_ms()
        owed: list[OwedAnswer] = []
        for reception in uow.receptions.claim_answers(origin, now_ms, limit):
            if reception.answer is None:
                continue
            uow.receptions.save(machine.answer_sent(reception, now_ms, self._random()))
            owed.append(OwedAnswer(reception.answer, reception.object, reception.meta, reception.message))
        return owed

    def answer_acknowledged(
        self, uow: UnitOfWork, key: ObjectKey, origin: NodeKey, instance: int, answer: Answer
    ) -> None:
        """The origin knows. Raises Ignored for an instance or an answer that is not current any more."""
        item = uow.objects.find(key, lock=True) if answer is Answer.CONSUMED else None
        reception = uow.receptions.find(key, lock=True)
        if reception is None or reception.origin != origin or reception.instance != instance:
            raise Ignored
        if reception.answer is not answer:
            raise Ignored
        uow.receptions.save(machine.answer_acknowledged(reception, answer))
        if item is not None and item.status is ObjectStatus.CONSUMED:
            self._discard_payload(uow, item)
            uow.objects.remove(key)

    def _needs_data(self, meta: Metadata, visible: SyncObject | None) -> bool:
        if not meta.carries_data:
            return False
        names_file = bool(meta.destination_data_uri) and not self._local.is_cloud
        if visible is not None and visible.payload is not None and visible.meta.data_id == meta.data_id:
            # Only metadata changed (rest-api 5.6); but data is verified and written to its file on its way in only.
            is_verified = not meta.is_signed or declaration_of(visible.meta) == declaration_of(meta)
            return not is_verified or (names_file and not _has_file(visible, meta.destination_data_uri))
        if meta.meta_only:
            return meta.data_id != 0
        return meta.object_size > 0 or meta.is_signed or names_file

    def _is_welcome_again(self, known: Reception) -> bool:
        """The same instance counts once, unless it failed here, or was withdrawn from this node and now is for it again.

        Only a cloud has several destinations to withdraw from; what an edge deleted comes again as another instance.
        """
        is_withdrawn = known.state in (ReceptionState.DELETED, ReceptionState.FORGOTTEN)
        return known.state is ReceptionState.FAILED or (is_withdrawn and not self._local.is_cloud)

    def _check_origin(self, known: Reception, origin: NodeKey) -> None:
        if known.origin != origin and known.state is not ReceptionState.FORGOTTEN:
            raise ProtocolViolation("This object belongs to another node.")

    def _heard(
        self, known: Reception | None, key: ObjectKey, meta: Metadata, origin: NodeKey, needs_data: bool
    ) -> Reception:
        now_ms = self._now_ms()
        if known is None:
            reception = machine.first_heard(key, origin, meta, needs_data, now_ms)
        else:
            stepped = machine.step(known, machine.NewInstance(needs_data), now_ms)
            reception = replace(stepped, meta=meta, origin=origin)
        # The same instance may come again, while the bytes of the first time are sealed and wait to be deleted.
        staged = payload_name(key, f"{origin}#{meta.instance_id}#{self._random()}") if needs_data else ""
        return replace(reception, staged=staged, coverage=Coverage())

    def _repeated(self, uow: UnitOfWork, known: Reception) -> Reception:
        reception = machine.answer_again(known, self._now_ms())
        self._save(uow, reception)
        return reception

    def _save(self, uow: UnitOfWork, reception: Reception) -> None:
        if reception.answer in self._implied:
            reception = replace(reception, answer=None, answer_due_at_ms=None)
        uow.receptions.save(reception)
        if reception.answer is not None:
            uow.wake(wakeups.ANSWERS, wakeups.node_topic(reception.origin))

    def _transfer(self, uow: UnitOfWork, key: ObjectKey, instance: int) -> Reception:
        reception = uow.receptions.find(key, lock=True)
        if reception is None or reception.instance != instance or reception.state is not ReceptionState.FETCHING:
            raise Ignored
        return reception

    def _usable(self, uow: UnitOfWork, key: ObjectKey) -> SyncObject:
        item = uow.objects.find(key, lock=True)
        if item is None or item.is_own or item.status not in _USABLE:
            raise InvalidRequest("There is no received object of this name that could be marked.")
        return item

    def _show_partial(self, uow: UnitOfWork, visible: SyncObject | None, reception: Reception) -> None:
        """Without a usable previous version applications see that something is coming; with one they keep it (R4)."""
        if visible is None or visible.status in _USED_UP:
            self._discard_payload(uow, visible)
            dropped = dropped_by(reception.meta, visible)
            uow.objects.save_many([replace(partial_copy(reception), dropped_services=dropped)])

    def _show_complete(
        self, uow: UnitOfWork, visible: SyncObject | None, reception: Reception, payload: Payload | None
    ) -> None:
        if visible is not None and visible.payload != payload:
            self._discard_payload(uow, visible)
        meta = msgspec.structs.replace(reception.meta, deleted=False)
        shown = SyncObject(
            reception.object,
            meta,
            ObjectStatus.COMPLETELY_RECEIVED,
            is_own=False,
            payload=payload,
            dropped_services=dropped_by(meta, visible),
        )
        show(uow, shown.with_counters_restarted())

    def _discard_payload(self, uow: UnitOfWork, item: SyncObject | None) -> None:
        if item is not None and item.payload is not None:
            uow.payloads.discard_many([item.payload], self._now_ms())


def _has_file(visible: SyncObject, uri: str) -> bool:
    """Does the file hold the data of the visible version? That of a consumed one is removed."""
    return visible.meta.destination_data_uri == uri and visible.status in _USABLE


def _payload_without_fetch(reception: Reception, visible: SyncObject | None) -> Payload | None:
    if visible is not None and visible.payload is not None and visible.meta.data_id == reception.meta.data_id:
        return visible.payload
    if reception.meta.carries_data and not reception.meta.meta_only:
        name = payload_name(reception.object, f"{reception.origin}#{reception.instance}")
        return Payload(name, 0, _EMPTY_DIGEST, is_small=True)
    return None


def _shows(item: SyncObject, reception: Reception) -> bool:
    return item.instance == reception.instance and reception.state in (ReceptionState.READY, ReceptionState.SEEN)
