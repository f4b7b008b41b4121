"""What travels between nodes, as values (wire-protocol 2.1, 2.5, 2.9)."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import msgspec

from common.domain.metadata import Metadata


class Action(StrEnum):
    """Last path segment of a message an edge PUTs to the cloud; case sensitive."""

    UPDATE = "update"
    UPDATED = "updated"
    DELETE = "delete"
    DELETION_ACKNOWLEDGED = "ackDelete"
    DELETED = "deleted"
    DELETED_ACKNOWLEDGED = "ackDeleted"
    CONSUMED = "consumed"
    CONSUMED_ACKNOWLEDGED = "ackconsumed"
    RECEIVED = "received"
    RECEIVED_ACKNOWLEDGED = "ackreceived"
    FEEDBACK = "feedback"
    DATA = "data"


class PollItem(msgspec.Struct, frozen=True, rename={"type": "Type", "meta": "MetaData"}):
    """One message the cloud has for a polling edge."""

    TYPES: ClassVar[frozenset[str]] = frozenset(
        {Action.UPDATE, Action.DELETE, Action.CONSUMED, Action.DELETED, Action.RECEIVED}
    )

    type: str
    meta: Metadata


class FeedbackCode:
    """wire-protocol 2.9. Codes from 10000 on are information, not errors."""

    INTERNAL = 1
    IO = 2
    SECURITY = 3
    PATH = 4
    INVALID_OBJECT = 5
    FIRST_INFORMATION = 10_000


class Feedback(
    msgspec.Struct, frozen=True, rename={"code": "Code", "retry_seconds": "RetryInterval", "reason": "Reason"}
):
    """A receiver's report that it could not take an instance."""

    code: int
    retry_seconds: int = 0
    reason: str = ""

    @property
    def is_error(self) -> bool:
        return self.code < FeedbackCode.FIRST_INFORMATION
