"""Sends this node's own objects to the cloud: the update, then the data from where the cloud has it already."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from common.domain.chunks import Range
from common.domain.delivery import DeliveryEvent, OutboxMessage, PeerDroppedIt, PeerFailed, PeerUpdated, message_of
from common.domain.errors import Ignored, NotFound, ProtocolViolation, VerificationFailed
from common.domain.ids import NodeKey, ObjectKey
from common.domain.metadata import Metadata
from common.domain.objects import Payload
from common.protocol import codec
from common.protocol.messages import Action
from common.protocol.routes import Capability
from common.runtime.logs import fields
from common.sync.payloads import PayloadMissing, PayloadStore
from common.sync.ports import Database
from common.sync.sender import Outgoing, PeerAnswer, Sender
from ess.services.cloud import Cloud
from ess.workers.in_flight import InFlight
from ess.workers.link import Link

log = logging.getLogger(__name__)

_PAGE = 20
_READ_BYTES = 1 << 20


class Uplink:
    """Turns of several workers, which share `in_flight`: a long upload outlives the lease of its delivery."""

    def __init__(
        self,
        client: Cloud,
        database: Database,
        sender: Sender,
        store: PayloadStore,
        cloud: NodeKey,
        link: Link,
        in_flight: InFlight,
        chunk_bytes: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._client = client
        self._database = database
        self._sender = sender
        self._store = store
        self._cloud = cloud
        self._link = link
        self._in_flight = in_flight
        self._chunk_bytes = chunk_bytes
        self._now_ms = now_ms

    def turn(self) -> float | None:
        """Send what is due. Raises Unavailable; what was not sent is due again later."""
        if not self._link.is_up:
            return None
        outgoing = self._database.write(lambda uow: self._sender.claim(uow, self._cloud, _PAGE))
        for each in outgoing:
            with self._in_flight.claim(_key(each.meta), each.meta.instance_id) as is_mine:
                if is_mine and self._is_current(each):
                    self._send(each)
        return 0.0 if outgoing else self._seconds_to_next()

    def _is_current(self, outgoing: Outgoing) -> bool:
        """Is this still what the cloud is to be told? It may have waited long behind others of its page.

        The other worker may even have delivered the object's deletion meanwhile: an update after it would bring it back.
        """
        key = _key(outgoing.meta)
        found = self._database.read(lambda uow: uow.deliveries.find_many([(key, self._cloud)]))
        delivery = found.get((key, self._cloud))
        return (
            delivery is not None
            and delivery.instance == outgoing.meta.instance_id
            and message_of(delivery.state) is outgoing.message
        )

    def _send(self, outgoing: Outgoing) -> None:
        meta = outgoing.meta
        key = _key(meta)
        try:
            if outgoing.message is OutboxMessage.DELETE:
                self._send_deletion(key, meta)
            else:
                self._send_update(key, meta, outgoing.payload)
        except (ProtocolViolation, NotFound, VerificationFailed) as error:
            # The delivery stays due, with back-off; the log says why it does not get on.
            log.warning("object_not_accepted", extra=fields(key=str(key), instance=meta.instance_id, reason=str(error)))

    def _send_deletion(self, key: ObjectKey, meta: Metadata) -> None:
        try:
            self._client.send(Action.DELETE, key, meta.instance_id, meta.data_id, codec.encode_metadata(meta))
        except Ignored:
            pass
        self._answered(key, meta, PeerDroppedIt())

    def _send_update(self, key: ObjectKey, meta: Metadata, payload: Payload | None) -> None:
        try:
            headers = self._client.send(Action.UPDATE, key, meta.instance_id, meta.data_id, codec.encode_metadata(meta))
            if payload is not None and self._is_data_due(meta):
                self._send_data(key, meta, payload, _offset(headers.get("upload-offset")))
        except Ignored:
            pass  # the cloud has this instance or a newer one
        except PayloadMissing:
            return  # replaced meanwhile; the new instance is due by itself
        except VerificationFailed as error:
            self._answered(key, meta, PeerFailed(str(error)))
            raise
        self._answered(key, meta, PeerUpdated())

    def _is_data_due(self, meta: Metadata) -> bool:
        """A cloud that reports what it has gets what is missing; the reference never expects data with `metaOnly`."""
        return meta.carries_data and (self._link.has(Capability.RESUME) or not meta.meta_only)

    def _send_data(self, key: ObjectKey, meta: Metadata, payload: Payload, offset: int) -> None:
        for span in self._spans(payload.size, offset):
            self._client.upload(key, meta.instance_id, meta.data_id, self._bytes_of(payload, span), span, payload)

    def _spans(self, size: int, offset: int) -> Iterator[Range]:
        """Pieces towards a cloud that keeps each of them; one whole otherwise (wire-protocol 0.2 rule 3).

        No bytes are sent as well: a cloud that takes over a metaOnly update waits for them.
        """
        if size == 0 or not self._link.has(Capability.RESUME):
            yield Range(0, size)
            return
        for start in range(min(offset, size), size, self._chunk_bytes):
            yield Range(start, min(start + self._chunk_bytes, size))

    def _bytes_of(self, payload: Payload, span: Range) -> Iterator[bytes]:
        if payload.is_small:
            yield self._database.read(lambda uow: uow.payloads.read_small(payload.name))[span.start : span.end]
            return
        with self._store.open(payload.name) as reader:
            for start in range(span.start, span.end, _READ_BYTES):
                yield reader.read(start, min(start + _READ_BYTES, span.end))

    def _answered(self, key: ObjectKey, meta: Metadata, event: DeliveryEvent) -> None:
        try:
            self._database.write(
                lambda uow: self._sender.answer(uow, PeerAnswer(key, self._cloud, meta.instance_id, event))
            )
        except (Ignored, ProtocolViolation):
            pass  # a newer instance took its place while this one travelled

    def _seconds_to_next(self) -> float | None:
        due_at_ms = self._database.read(lambda uow: uow.deliveries.next_due_at(self._cloud))
        return max(0.0, (due_at_ms - self._now_ms()) / 1000) if due_at_ms is not None else None


def _key(meta: Metadata) -> ObjectKey:
    return ObjectKey(meta.destination_org_id, meta.object_type, meta.object_id)


def _offset(header: str | None) -> int:
    return int(header) if header is not None and header.isascii() and header.isdigit() else 0
