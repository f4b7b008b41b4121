"""The cloud as an edge's workers see it, without a network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from common.domain.chunks import Range
from common.domain.errors import Unavailable
from common.domain.ids import ObjectKey
from common.domain.objects import Payload
from common.protocol.messages import Action, PollItem
from common.protocol.routes import Capability
from ess.services.cloud import Download
from ess.workers.in_flight import InFlight
from ess.workers.link import Link

DATA = bytes(range(200))


@dataclass
class CloudDouble:
    """The port `Cloud` as far as transfers need it; remembers what it was asked."""

    data: bytes = DATA
    digest: str = hashlib.sha256(DATA).hexdigest()
    sent: list[tuple[str, str]] = field(default_factory=list)
    spans: list[Range] = field(default_factory=list)
    asked: list[Range | None] = field(default_factory=list)

    def register(self) -> frozenset[str]:
        raise Unavailable

    def register_new(self) -> frozenset[str]:
        raise Unavailable

    def unregister(self) -> None:
        raise Unavailable

    def resend(self) -> None:
        raise Unavailable

    def poll(self, wait_seconds: int) -> list[PollItem]:
        raise Unavailable

    def send(
        self, action: Action, key: ObjectKey, instance: int, data_id: int, body: bytes | None = None
    ) -> Mapping[str, str]:
        self.sent.append((action.value, key.id))
        return {}

    @contextmanager
    def download(self, key: ObjectKey, instance: int, data_id: int, part: Range | None) -> Iterator[Download]:
        self.asked.append(part)
        start, end = (part.start, part.end) if part is not None else (0, len(self.data))
        yield Download(start, self.digest, iter([self.data[start:end]]))

    def upload(
        self, key: ObjectKey, instance: int, data_id: int, body: Iterable[bytes], span: Range, payload: Payload
    ) -> None:
        assert len(b"".join(body)) == span.size_bytes
        self.spans.append(span)


def link_up() -> Link:
    link = Link()
    link.set_up(frozenset({Capability.RESUME, Capability.DIGEST}))
    return link


def in_flight() -> InFlight:
    return InFlight(2, lambda: 0.0, lambda: 0.5)
