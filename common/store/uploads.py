"""Uploads of applications that come in pieces."""

from __future__ import annotations

import sqlalchemy as sa

from common.domain.ids import ObjectKey
from common.store.coverage_json import coverage_from_json, coverage_to_json
from common.store.keys import KEY, key_values
from common.store.session import Row, Session
from common.store.statements import NO_OFFSET, RowLock, Statement, matching, parameter, upsert
from common.store.tables import uploads
from common.sync.records import Upload

_BY_KEY = sa.select(*uploads.columns).where(matching(uploads, *KEY))
_FIND = Statement(_BY_KEY)
_FIND_LOCKED = Statement(_BY_KEY, lock=RowLock(uploads))
_SAVE = upsert(uploads, *KEY)
_LIST_STALE = Statement(
    sa.select(*uploads.columns)
    .where(parameter("before_ms") > uploads.c.updated_at_ms)
    .order_by(uploads.c.updated_at_ms)
    .limit(parameter("limit"))
    .offset(NO_OFFSET)
)
_REMOVE = Statement(sa.delete(uploads).where(matching(uploads, *KEY)))


class SqlUploads:
    """The `UploadStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, key: ObjectKey, *, lock: bool = False) -> Upload | None:
        row = self._session.fetch_one(_FIND_LOCKED if lock else _FIND, key_values(key))
        return _upload_of(row) if row is not None else None

    def list_stale(self, before_ms: int, limit: int) -> list[Upload]:
        rows = self._session.fetch(_LIST_STALE, {"before_ms": before_ms, "limit": limit})
        return [_upload_of(row) for row in rows]

    def save(self, upload: Upload) -> None:
        row = {
            **key_values(upload.object),
            "staged": upload.staged,
            "total_bytes": upload.total_bytes,
            "chunk_bytes": upload.chunk_bytes,
            "coverage": coverage_to_json(upload.coverage),
            "updated_at_ms": upload.updated_at_ms,
        }
        self._session.run_many(_SAVE, [row])

    def remove(self, key: ObjectKey) -> None:
        self._session.run(_REMOVE, key_values(key))


def _upload_of(row: Row) -> Upload:
    org, object_type, object_id, staged, total_bytes, chunk_bytes, coverage, updated_at_ms = row
    key = ObjectKey(org, object_type, object_id)
    return Upload(key, staged, total_bytes, chunk_bytes, coverage_from_json(coverage), updated_at_ms)
