"""Fetches the data of announced objects: resumed at the last durable byte, verified, then shown."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from common.domain.chunks import Range
from common.domain.errors import Ignored, NotFound, ProtocolViolation, Unavailable, VerificationFailed
from common.domain.objects import Payload
from common.domain.reception import Reception
from common.runtime.blocking_intake import receive_blocking
from common.runtime.digests import RunningDigests
from common.runtime.logs import fields
from common.runtime.signatures import check_signature
from common.sync.payloads import PayloadError, PayloadIncomplete, PayloadMissing, PayloadStore
from common.sync.ports import Database
from common.sync.receiver import Receiver
from ess.services.cloud import Cloud, Download
from ess.store.data_directory import DataFileRefused
from ess.workers.data_files import DataFiles
from ess.workers.in_flight import InFlight
from ess.workers.link import Link

log = logging.getLogger(__name__)

#: Enough that postponed and large transfers at the head of the list do not hide the others behind them.
_PAGE = 200

LARGE_BYTES = 8 << 20

_READ_BYTES = 1 << 20


class Fetcher:
    """Turns of several workers, which share `in_flight`."""

    def __init__(
        self,
        client: Cloud,
        database: Database,
        receiver: Receiver,
        store: PayloadStore,
        digests: RunningDigests,
        link: Link,
        in_flight: InFlight,
        small_bytes: int,
        data_files: DataFiles,
    ) -> None:
        self._client = client
        self._database = database
        self._receiver = receiver
        self._store = store
        self._digests = digests
        self._link = link
        self._in_flight = in_flight
        self._small_bytes = small_bytes
        self._data_files = data_files
        self._writer_thread = ThreadPoolExecutor(1, thread_name_prefix="fetch-write")

    def turn(self) -> float | None:
        """Fetch one object. One that cannot be had now keeps what is here of it, and lets the others go first."""
        if not self._link.is_up:
            return None
        fetching = self._database.read(lambda uow: uow.receptions.list_fetching(_PAGE))
        for reception in fetching:
            key, instance = reception.object, reception.instance
            with self._in_flight.claim(key, instance, is_large=_is_large(reception)) as is_mine:
                if is_mine:
                    self._try(reception)
                    return 0.0
        return self._in_flight.seconds_to_next({reception.object for reception in fetching})

    def _try(self, reception: Reception) -> None:
        try:
            self._fetch(reception)
        except Unavailable as error:
            self._in_flight.postpone(reception.object, reception.instance)
            log.info("fetch_interrupted", extra=fields(key=str(reception.object), reason=str(error)))
        else:
            self._in_flight.succeeded(reception.object)

    def _fetch(self, reception: Reception) -> None:
        try:
            self._data_files.check(reception)
            if reception.meta.object_size <= self._small_bytes:
                self._fetch_small(reception)
            else:
                self._fetch_staged(reception)
        except Ignored:
            # Another instance is current; the poll brings it, and it replaces this reception.
            if self._is_still_wanted(reception):
                raise Unavailable("Another instance is on its way.") from None
        except NotFound:
            self._give_up(reception, "The cloud no longer has the data.")
        except (VerificationFailed, ProtocolViolation, DataFileRefused) as error:
            self._store.delete(reception.staged)
            self._digests.forget(reception.staged)
            self._give_up(reception, str(error), is_wrong=isinstance(error, VerificationFailed))
        except (PayloadMissing, PayloadIncomplete) as error:
            # What was remembered as durable is not there: the disk lost it. Start over.
            self._database.write(lambda uow: self._receiver.data_is_wrong(uow, reception.object, reception.instance))
            raise Unavailable(str(error)) from error
        except PayloadError as error:
            raise Unavailable(str(error)) from error

    def _fetch_small(self, reception: Reception) -> None:
        size = reception.meta.object_size
        pieces: list[bytes] = []
        with self._download(reception, None) as download:
            for piece in download.pieces:
                pieces.append(piece)
                if sum(map(len, pieces)) > size:
                    raise VerificationFailed(f"More than the {size} bytes announced arrived.")
        data = b"".join(pieces)
        payload = Payload(reception.staged, len(data), hashlib.sha256(data).hexdigest(), is_small=True)
        _verify(payload, size, download.digest)
        self._complete(reception, payload, data)

    def _fetch_staged(self, reception: Reception) -> None:
        size = reception.meta.object_size
        expected: str | None = None
        for gap in self._gaps(reception):
            expected = self._fetch_gap(reception, gap) or expected
        digest = self._digests.finish(self._store, reception.staged, size)
        payload = Payload(reception.staged, size, digest, is_small=False)
        _verify(payload, size, expected)
        self._store.seal(reception.staged, size)
        self._complete(reception, payload, None)

    def _gaps(self, reception: Reception) -> list[Range]:
        """What is to be fetched before the data is verified."""
        size = reception.meta.object_size
        gaps = list(reception.coverage.missing(size))
        if gaps or self._is_sealed(reception.staged):
            return gaps
        # All is here, but what it has to be was known only to a process that ended: the last byte brings the digest along.
        return [Range(size - 1, size)]

    def _is_sealed(self, name: str) -> bool:
        """Verified data is sealed; a crash came before it was shown."""
        try:
            self._store.size(name)
        except PayloadMissing:
            return False
        return True

    def _fetch_gap(self, reception: Reception, gap: Range) -> str | None:
        """Stage the bytes of `gap`; the digest of the whole, if the cloud said it."""
        size = reception.meta.object_size
        part = None if gap.size_bytes == size else gap
        with self._download(reception, part) as download, self._store.writer(reception.staged) as writer:
            if download.start != gap.start:
                raise Unavailable("The cloud did not resume where it was asked to.")
            hasher = self._digests.continue_at(reception.staged, gap.start)

            def flushed(position: int) -> None:
                self._progress(reception, gap.start, position)

            taken = receive_blocking(
                _bounded(download.pieces, gap.size_bytes),
                writer,
                self._writer_thread,
                offset=gap.start,
                hasher=hasher,
                on_flushed=flushed,
            )
        if taken < gap.size_bytes:
            raise Unavailable("The data ended early.")
        self._digests.advance(reception.staged, hasher, gap.end)
        return download.digest

    def _download(self, reception: Reception, part: Range | None) -> AbstractContextManager[Download]:
        meta = reception.meta
        return self._client.download(reception.object, meta.instance_id, meta.data_id, part)

    def _progress(self, reception: Reception, start: int, position: int) -> None:
        self._database.write(
            lambda uow: self._receiver.piece_is_durable(uow, reception.object, reception.instance, start, position)
        )

    def _complete(self, reception: Reception, payload: Payload, data: bytes | None) -> None:
        """Show the object. Raises VerificationFailed for a wrong signature, DataFileRefused."""
        check_signature(reception.meta, payload, data, self._store)
        self._data_files.deliver(reception, [data] if data is not None else self._pieces_of(payload))
        self._database.write(
            lambda uow: self._receiver.data_complete(uow, reception.object, reception.instance, payload, data)
        )
        log.info(
            "object_received", extra=fields(key=str(reception.object), instance=reception.instance, bytes=payload.size)
        )

    def _pieces_of(self, payload: Payload) -> Iterator[bytes]:
        with self._store.open(payload.name) as reader:
            for start in range(0, payload.size, _READ_BYTES):
                yield reader.read(start, min(start + _READ_BYTES, payload.size))

    def _give_up(self, reception: Reception, reason: str, *, is_wrong: bool = False) -> None:
        log.warning(
            "object_refused", extra=fields(key=str(reception.object), instance=reception.instance, reason=reason)
        )
        try:
            self._database.write(
                lambda uow: self._receiver.data_failed(
                    uow, reception.object, reception.instance, reason, is_wrong=is_wrong
                )
            )
        except Ignored:
            pass  # superseded meanwhile

    def _is_still_wanted(self, reception: Reception) -> bool:
        current = self._database.read(lambda uow: uow.receptions.find(reception.object))
        return current is not None and current.instance == reception.instance and current.state is reception.state


def _is_large(reception: Reception) -> bool:
    return reception.meta.object_size >= LARGE_BYTES


def _verify(payload: Payload, size: int, expected_digest: str | None) -> None:
    """Raises VerificationFailed."""
    if payload.size != size:
        raise VerificationFailed(f"{payload.size} bytes arrived instead of {size}.")
    if expected_digest is not None and payload.digest != expected_digest:
        raise VerificationFailed("The data does not have the digest the cloud announced.")


def _bounded(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """At most `count` bytes. Raises VerificationFailed for more."""
    left = count
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise VerificationFailed("More bytes arrived than were asked for.")
        yield piece
