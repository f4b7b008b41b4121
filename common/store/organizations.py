"""The tenants, and the removal of everything one of them has."""

from __future__ import annotations

from functools import cache

import sqlalchemy as sa

from common.domain.objects import Payload
from common.domain.organizations import Organization
from common.store import quota_tables
from common.store.access_tables import NAMES_A_USER, access_entries, organizations
from common.store.audit_tables import audit
from common.store.columns import metadata
from common.store.session import Row, Session
from common.store.statements import NO_OFFSET, Statement, matching, parameter, upsert
from common.store.tables import NAMES_A_NODE, accounts, deliveries, nodes, objects, receptions, uploads
from common.store.usage import SqlUsage
from common.sync.organizations import Removal

_COLUMNS = [organizations.c[name] for name in ("org", "user", "password", "address")]

_FIND = Statement(sa.select(*_COLUMNS).where(matching(organizations, "org")))
_SAVE = upsert(organizations, "org")
_REMOVE = Statement(sa.delete(organizations).where(matching(organizations, "org")))
_LIST = Statement(sa.select(*_COLUMNS).order_by(organizations.c.org))

#: Tables of an organization that outlive it: it can be registered again, its users can still call, who removed it is known,
#: its quota cannot be shaken off, and what it keeps is counted down to nothing.
_KEPT = frozenset({organizations.name, accounts.name, audit.name, quota_tables.quotas.name, quota_tables.usage.name})

#: In this order: without nodes nothing new is fanned out, and an object goes after what hangs on it.
_FIRST, _LAST = (nodes, deliveries), (uploads, receptions, objects)

#: What a statement has to say to be served by the table's index by organization.
_INDEXED_BY = {deliveries.name: NAMES_A_NODE, access_entries.name: NAMES_A_USER}

_PAYLOAD = [objects.c[f"payload_{name}"] for name in ("name", "size", "digest", "is_small")]


class SqlOrganizations:
    """The `OrganizationStore` of one transaction."""

    def __init__(self, session: Session, usage: SqlUsage) -> None:
        self._session = session
        self._usage = usage

    def find(self, org: str) -> Organization | None:
        row = self._session.fetch_one(_FIND, {"org": org})
        return Organization(*row) if row else None

    def save(self, organization: Organization) -> None:
        row = {
            "org": organization.org,
            "user": organization.user,
            "password": organization.password,
            "address": organization.address,
        }
        self._session.run_many(_SAVE, [row])

    def remove(self, org: str) -> None:
        self._session.run(_REMOVE, {"org": org})

    def list_all(self) -> list[Organization]:
        return [Organization(*row) for row in self._session.fetch(_LIST, {})]

    def remove_belongings(self, org: str, limit: int) -> Removal:
        count = 0
        payloads: list[Payload | str] = []
        for table, statement in _removals():
            removed = self._session.fetch(statement, {"org": org, "limit": limit - count})
            count += len(removed)
            payloads += [payload for row in removed if (payload := _payload_of(table, row))]
            if table is objects:
                self._usage.removed(org, [size for _, size, _, _ in removed])
            if count == limit:
                break
        return Removal(count, payloads)


@cache
def _removals() -> list[tuple[sa.Table, Statement]]:
    """One per table that has an organization, also of what this process has not used so far."""
    from common.store import schema  # noqa: F401 - declares every table

    owned = [table for table in metadata.sorted_tables if "org" in table.c and table.name not in _KEPT]
    between = [table for table in owned if table not in _FIRST and table not in _LAST]
    return [(table, _removal(table)) for table in (*_FIRST, *between, *_LAST)]


def _removal(table: sa.Table) -> Statement:
    """Removes a page of rows and returns what `_payload_of` reads."""
    key = list(table.primary_key.columns)
    page = sa.select(*key).where(matching(table, "org"))
    page = page.where(_INDEXED_BY.get(table.name, sa.true())).limit(parameter("limit")).offset(NO_OFFSET)
    returned = _PAYLOAD if table is objects else [table.c.staged] if "staged" in table.c else key[:1]
    removal = sa.delete(table).where(sa.tuple_(*key).in_(page)).returning(*returned)
    return Statement(removal, is_planned_anew=True)


def _payload_of(table: sa.Table, row: Row) -> Payload | str | None:
    if table is objects:
        name, size, digest, is_small = row
        return None if name is None else Payload(name, size, digest, bool(is_small))
    return row[0] if "staged" in table.c else None
