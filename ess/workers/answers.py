"""Tells the cloud what became of its objects, until it has acknowledged it."""

from __future__ import annotations

from collections.abc import Callable

from common.domain.errors import Ignored, NotFound
from common.domain.ids import NodeKey
from common.domain.reception import Answer
from common.protocol import codec
from common.protocol.messages import Action, Feedback, FeedbackCode
from common.sync.ports import Database
from common.sync.receiver import OwedAnswer, Receiver
from ess.services.cloud import Cloud
from ess.workers.link import Link

_PAGE = 50

#: How long the cloud should wait before it offers a failed instance again.
_RETRY_AFTER_SECONDS = 30


class AnswerWorker:
    """Turns of one worker."""

    def __init__(
        self,
        client: Cloud,
        database: Database,
        receiver: Receiver,
        cloud: NodeKey,
        link: Link,
        now_ms: Callable[[], int],
    ) -> None:
        self._client = client
        self._database = database
        self._receiver = receiver
        self._cloud = cloud
        self._link = link
        self._now_ms = now_ms

    def turn(self) -> float | None:
        """Send what is due. Raises Unavailable."""
        if not self._link.is_up:
            return None
        owed = self._database.write(lambda uow: self._receiver.claim_answers(uow, self._cloud, _PAGE))
        for each in owed:
            self._send(each)
        return 0.0 if owed else self._seconds_to_next()

    def _send(self, owed: OwedAnswer) -> None:
        try:
            self._client.send(
                Action(owed.answer.value), owed.object, owed.meta.instance_id, owed.meta.data_id, _body(owed)
            )
        except (Ignored, NotFound):
            pass  # the cloud has moved on: that ends this retry as well
        try:
            self._database.write(
                lambda uow: self._receiver.answer_acknowledged(
                    uow, owed.object, self._cloud, owed.meta.instance_id, owed.answer
                )
            )
        except Ignored:
            pass  # a later answer took its place while this one travelled

    def _seconds_to_next(self) -> float | None:
        due_at_ms = self._database.read(lambda uow: uow.receptions.next_answer_at(self._cloud))
        return max(0.0, (due_at_ms - self._now_ms()) / 1000) if due_at_ms is not None else None


def _body(owed: OwedAnswer) -> bytes | None:
    match owed.answer:
        case Answer.FEEDBACK:
            return codec.encode_feedback(Feedback(FeedbackCode.INTERNAL, _RETRY_AFTER_SECONDS, owed.message))
        case Answer.DELETED:
            return codec.encode_metadata(owed.meta)
        case _:
            return None
