"""The audit log."""

from __future__ import annotations

import sqlalchemy as sa

from common.store.audit_tables import HAS_OUTCOME, audit
from common.store.session import Row, Session
from common.store.statements import NO_OFFSET, Statement, matching, parameter
from common.sync.audit import AuditEntry, AuditPosition, Outcome, RecordedEntry

_ENTRY = ("at_ms", "org", "principal", "address", "action", "target", "outcome")
_PLACE = sa.tuple_(audit.c.at_ms, audit.c.position)
#: Beyond every entry there can be.
_END = AuditPosition(2**63 - 1, 2**63 - 1)

_ADD = Statement(sa.insert(audit).values({name: parameter(name, audit.c[name].type) for name in _ENTRY}))
_PAGE = Statement(
    sa.select(audit.c.position, *[audit.c[name] for name in _ENTRY])
    .where(matching(audit, "org"), sa.tuple_(parameter("before_ms"), parameter("before_number")) > _PLACE)
    .order_by(audit.c.at_ms.desc(), audit.c.position.desc())
    .limit(parameter("limit"))
    .offset(NO_OFFSET)
)
_OLDEST = (
    sa.select(audit.c.position)
    .where(HAS_OUTCOME, audit.c.at_ms < parameter("before_ms"))
    .order_by(audit.c.at_ms, audit.c.position)
    .limit(parameter("limit"))
    .offset(NO_OFFSET)
)
_PRUNE = Statement(sa.delete(audit).where(audit.c.position.in_(_OLDEST)), is_planned_anew=True)


class SqlAudit:
    """The `AuditStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, entry: AuditEntry) -> None:
        self._session.run(_ADD, {name: getattr(entry, name) for name in _ENTRY})

    def page_of_org(self, org: str, *, before: AuditPosition | None, limit: int) -> list[RecordedEntry]:
        at_ms, number = before or _END
        values = {"org": org, "before_ms": at_ms, "before_number": number, "limit": limit}
        return [_recorded(row) for row in self._session.fetch(_PAGE, values)]

    def prune(self, before_ms: int, limit: int) -> int:
        return self._session.run(_PRUNE, {"before_ms": before_ms, "limit": limit})


def _recorded(row: Row) -> RecordedEntry:
    number, at_ms, org, principal, address, action, target, outcome = row
    entry = AuditEntry(at_ms, org, principal, address, action, target, Outcome(outcome))
    return RecordedEntry(AuditPosition(at_ms, number), entry)
