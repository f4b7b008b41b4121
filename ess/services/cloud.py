"""The cloud as the workers see it: the port that a transport implements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from common.domain.chunks import Range
from common.domain.ids import ObjectKey
from common.domain.objects import Payload
from common.protocol.messages import Action, PollItem


@dataclass(frozen=True, slots=True)
class Download:
    """An answer to a data request: where its bytes begin, the SHA-256 of the whole in hex if it was said, the bytes."""

    start: int
    digest: str | None
    pieces: Iterator[bytes]


class Cloud(Protocol):
    """Calls of one node, from worker threads.

    Every method raises Unavailable when the cloud cannot be reached or asks to wait, NotAuthenticated when it does not
    accept our credentials, UnknownNode when this node has to register, ProtocolViolation for an answer that makes no sense.
    """

    def register(self) -> frozenset[str]:
        """Both sides' common capabilities. Raises NotFound when the cloud does not know this node."""
        ...

    def register_new(self) -> frozenset[str]: ...

    def unregister(self) -> None:
        """This node leaves for good: nothing is owed to it any more."""
        ...

    def resend(self) -> None:
        """Everything addressed to this node is wanted again."""
        ...

    def poll(self, wait_seconds: int) -> list[PollItem]:
        """What the cloud has for this node, after waiting up to `wait_seconds` for it."""
        ...

    def send(
        self, action: Action, key: ObjectKey, instance: int, data_id: int, body: bytes | None = None
    ) -> Mapping[str, str]:
        """Deliver one message; the headers of the answer. Raises Ignored when it was stale, which ends the retry as well."""
        ...

    def download(
        self, key: ObjectKey, instance: int, data_id: int, part: Range | None
    ) -> AbstractContextManager[Download]:
        """The data, or `part` of it. Raises NotFound when the object is gone, Ignored when another instance is current."""
        ...

    def upload(
        self, key: ObjectKey, instance: int, data_id: int, body: Iterable[bytes], span: Range, payload: Payload
    ) -> None:
        """Send `span` of `payload`, which `body` yields. Raises Ignored when the cloud no longer wants it, VerificationFailed
        when the data does not have the signature the object declares.
        """
        ...
