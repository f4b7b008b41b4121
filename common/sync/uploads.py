"""Uploads of applications in pieces: any order, each durable when answered, complete by coverage (rest-api 3.11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from common.domain.chunks import Coverage
from common.domain.errors import Ignored, NotFound
from common.domain.ids import ObjectKey
from common.domain.objects import Payload, SyncObject, check_accepts_data
from common.domain.preconditions import UNCONDITIONAL, Precondition, data_validator
from common.domain.signing import Verdict
from common.sync.payload_names import payload_name
from common.sync.ports import UnitOfWork
from common.sync.publisher import Publisher
from common.sync.quotas import Quotas
from common.sync.records import Upload


class Uploads:
    """Use cases of one application's upload."""

    def __init__(
        self,
        publisher: Publisher,
        now_ms: Callable[[], int],
        new_token: Callable[[], str],
        quotas: Quotas | None = None,
    ) -> None:
        """Without `quotas` nothing is limited."""
        self._publisher = publisher
        self._quotas = quotas or Quotas()
        self._now_ms = now_ms
        self._new_token = new_token

    def begin(
        self,
        uow: UnitOfWork,
        key: ObjectKey,
        start: int,
        end: int,
        total_bytes: int,
        precondition: Precondition = UNCONDITIONAL,
    ) -> Upload:
        """The upload this piece belongs to. Another total starts over.

        Raises NotFound, InvalidRequest, PreconditionFailed, QuotaExceeded.
        """
        current = uow.objects.find(key, lock=True)
        if current is None:
            raise NotFound
        check_accepts_data(current)
        precondition.check(data_validator(current))
        self._quotas.check_room(uow, key, current, total_bytes)
        upload = uow.uploads.find(key, lock=True)
        if upload is not None and upload.total_bytes == total_bytes:
            if start == 0 and upload.chunk_bytes == 0:
                upload = replace(upload, chunk_bytes=end)
                uow.uploads.save(upload)
            return upload
        if upload is not None:
            uow.payloads.discard_many([upload.staged], self._now_ms())
        staged = payload_name(key, self._new_token())
        chunk_bytes = end - start if start == 0 else 0
        upload = Upload(key, staged, total_bytes, chunk_bytes, Coverage(), self._now_ms())
        uow.uploads.save(upload)
        return upload

    def piece_is_durable(
        self, uow: UnitOfWork, key: ObjectKey, staged: str, start: int, end: int, *, starts_over: bool = False
    ) -> Upload:
        """Remember `[start, end)`, and with `starts_over` nothing else. Raises Ignored when the upload was replaced meanwhile."""
        upload = uow.uploads.find(key, lock=True)
        if upload is None or upload.staged != staged:
            raise Ignored("This upload was replaced by another one.")
        present = Coverage() if starts_over else upload.coverage
        upload = replace(upload, coverage=present.add(start, end), updated_at_ms=self._now_ms())
        uow.uploads.save(upload)
        return upload

    def forget_empty(self, uow: UnitOfWork, key: ObjectKey, staged: str) -> bool:
        """Drop an upload none of whose pieces was remembered; whether it was one."""
        upload = uow.uploads.find(key, lock=True)
        if upload is None or upload.staged != staged or upload.coverage.ranges:
            return False
        uow.payloads.discard_many([staged], self._now_ms())
        uow.uploads.remove(key)
        return True

    def complete(self, uow: UnitOfWork, upload: Upload, payload: Payload, verdict: Verdict | None = None) -> SyncObject:
        """All pieces are sealed as `payload`: publish it, once.

        Raises Ignored, NotFound, InvalidRequest, and OutdatedVerdict as `Publisher.put_data` does.
        """
        # Before the object, as everywhere.
        uow.nodes.lock_org_shared({upload.object.org})
        self._quotas.room(uow, [upload.object.org])
        item = uow.objects.find(upload.object, lock=True)
        if item is not None and item.payload is not None and item.payload.name == payload.name:
            return item
        current = uow.uploads.find(upload.object, lock=True)
        if current is None or current.staged != upload.staged:
            raise Ignored("This upload was replaced by another one.")
        return self._publisher.put_data(
            uow, upload.object, payload, upload_chunk_bytes=upload.chunk_bytes, verdict=verdict
        )
