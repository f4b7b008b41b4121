"""Quotas of organizations."""

from __future__ import annotations

import sqlalchemy as sa

from common.domain.quotas import QuotaOverride
from common.store.quota_tables import quotas
from common.store.session import Session
from common.store.statements import Statement, matching, upsert

_FIND = Statement(sa.select(quotas.c.objects, quotas.c.payload_bytes).where(matching(quotas, "org")))
_SAVE = upsert(quotas, "org")
_REMOVE = Statement(sa.delete(quotas).where(matching(quotas, "org")))
_LIST = Statement(sa.select(quotas.c.org).order_by(quotas.c.org))


class SqlQuotas:
    """The `QuotaStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, org: str) -> QuotaOverride | None:
        row = self._session.fetch_one(_FIND, {"org": org})
        return QuotaOverride(*row) if row else None

    def save(self, org: str, override: QuotaOverride) -> None:
        row = {"org": org, "objects": override.objects, "payload_bytes": override.payload_bytes}
        self._session.run_many(_SAVE, [row])

    def remove(self, org: str) -> None:
        self._session.run(_REMOVE, {"org": org})

    def list_orgs(self) -> list[str]:
        return [row[0] for row in self._session.fetch(_LIST, {})]
