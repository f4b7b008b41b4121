"""One message of the cloud to the right use case, exactly once."""

from __future__ import annotations

from dataclasses import dataclass

from common.domain.delivery import DeliveryEvent, PeerConsumed, PeerDroppedIt, PeerReceived
from common.domain.errors import Ignored, ProtocolViolation, SyncError
from common.domain.ids import NodeKey, ObjectKey
from common.domain.metadata import Metadata
from common.domain.names import is_valid_name
from common.protocol.messages import Action, Feedback, FeedbackCode, PollItem
from common.sync.ports import UnitOfWork
from common.sync.receiver import Receiver
from common.sync.sender import PeerAnswer, Sender

_ANSWERS: dict[str, tuple[DeliveryEvent, Action]] = {
    Action.RECEIVED: (PeerReceived(), Action.RECEIVED_ACKNOWLEDGED),
    Action.CONSUMED: (PeerConsumed(), Action.CONSUMED_ACKNOWLEDGED),
    Action.DELETED: (PeerDroppedIt(), Action.DELETED_ACKNOWLEDGED),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent back at once, after the commit; the cloud repeats its message if this gets lost."""

    action: Action
    key: ObjectKey
    meta: Metadata
    feedback: Feedback | None = None


class Inbox:
    """Applies poll answers."""

    def __init__(self, node: NodeKey, cloud: NodeKey, sender: Sender, receiver: Receiver) -> None:
        self._node = node
        self._cloud = cloud
        self._sender = sender
        self._receiver = receiver

    def accept_many(self, uow: UnitOfWork, items: list[PollItem]) -> list[Reply]:
        """Apply one poll's messages in order."""
        replies = [self._accept(uow, item) for item in items]
        return [reply for reply in replies if reply is not None]

    def _accept(self, uow: UnitOfWork, item: PollItem) -> Reply | None:
        meta = item.meta
        key = ObjectKey(self._node.org, meta.object_type, meta.object_id)
        if meta.destination_org_id not in ("", self._node.org) or not all(map(is_valid_name, key)):
            return None  # another organization's, or no name at all: there is nothing to answer about
        if item.type in _ANSWERS:
            event, acknowledgement = _ANSWERS[item.type]
            return self._answer(uow, key, meta, event, acknowledgement)
        try:
            if item.type == Action.UPDATE:
                self._receiver.update_arrived(uow, key, meta, self._cloud)
            else:
                self._receiver.deletion_arrived(uow, key, meta, self._cloud)
        except Ignored:
            return self._superseded(item, key)
        except SyncError as error:
            if error.retryable:
                raise  # our own trouble: the cloud offers it again
            feedback = Feedback(FeedbackCode.INTERNAL, reason=str(error))
            return Reply(Action.FEEDBACK, key, meta, feedback)
        return None

    def _answer(
        self, uow: UnitOfWork, key: ObjectKey, meta: Metadata, event: DeliveryEvent, acknowledgement: Action
    ) -> Reply:
        """About our own object: whatever we make of it, the cloud may stop repeating it."""
        try:
            self._sender.answer(uow, PeerAnswer(key, self._cloud, meta.instance_id, event))
        except (Ignored, ProtocolViolation):
            pass
        return Reply(acknowledgement, key, meta)

    @staticmethod
    def _superseded(item: PollItem, key: ObjectKey) -> Reply:
        """The cloud offers what we know to be old: it learns that it need not go on."""
        action = Action.UPDATED if item.type == Action.UPDATE else Action.DELETION_ACKNOWLEDGED
        return Reply(action, key, item.meta)
