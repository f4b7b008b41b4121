"""Groups and their members."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from common.domain.ids import NodeKey
from common.store.group_tables import group_lists, group_members, node_groups
from common.store.keys import NODE, node_values
from common.store.lookups import look_up
from common.store.session import Parameters, Session
from common.store.statements import NO_OFFSET, Bulk, Statement, matching, parameter, upsert
from common.sync.groups import Group

_GROUP = ("org", "name")
_ENTRY = (*_GROUP, *NODE)

_ALL = 2**62

_COLUMNS = [node_groups.c[name] for name in (*_GROUP, "expression")]
_FIND = Statement(sa.select(*_COLUMNS).where(matching(node_groups, *_GROUP)))
_LIST_OF_ORG = Statement(sa.select(*_COLUMNS).where(matching(node_groups, "org")).order_by(node_groups.c.name))
_SAVE = upsert(node_groups, *_GROUP)
_REMOVE = Statement(sa.delete(node_groups).where(matching(node_groups, *_GROUP)))


class _Nodes:
    """The statements about a table of nodes by group."""

    def __init__(self, table: sa.Table) -> None:
        of_group, of_node = matching(table, *_GROUP), matching(table, "org", *NODE)
        node = (table.c.node_type, table.c.node_id)
        entry = [table.c[name] for name in _ENTRY]
        after = sa.tuple_(parameter("after_type", sa.Text), parameter("after_id", sa.Text))
        page = sa.select(*node).where(of_group, sa.tuple_(*node) > after).order_by(*node)
        self.all = Statement(sa.select(*node).where(of_group).order_by(*node))
        self.page = Statement(page.limit(parameter("limit")).offset(NO_OFFSET))
        self.among = Bulk(entry, lambda values: look_up(table, list(node), values, *_ENTRY))
        self.count = Statement(sa.select(sa.func.count()).select_from(table).where(of_group))
        self.groups_of = Statement(sa.select(table.c.name).where(of_node))
        self.add = upsert(table, *_ENTRY, is_replacing=False)
        # One by one: PostgreSQL could keep a plan of a bulk that goes through the whole table.
        self.remove = Statement(sa.delete(table).where(matching(table, *_ENTRY)))
        self.remove_of_group = Statement(sa.delete(table).where(of_group))


_LISTED = _Nodes(group_lists)
_MEMBERS = _Nodes(group_members)


class SqlGroups:
    """The `GroupStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, org: str, name: str) -> Group | None:
        row = self._session.fetch_one(_FIND, {"org": org, "name": name})
        return Group(*row) if row else None

    def list_of_org(self, org: str) -> list[Group]:
        return [Group(*row) for row in self._session.fetch(_LIST_OF_ORG, {"org": org})]

    def save(self, group: Group, listed: Sequence[NodeKey]) -> None:
        of_group = {"org": group.org, "name": group.name}
        self._session.run_many(_SAVE, [{**of_group, "expression": group.expression}])
        self._session.run(_LISTED.remove_of_group, of_group)
        self._session.run_many(_LISTED.add, _entries(group.name, listed))

    def remove(self, org: str, name: str) -> None:
        self._session.run(_REMOVE, {"org": org, "name": name})
        self._session.run(_LISTED.remove_of_group, {"org": org, "name": name})

    def listed(self, org: str, name: str) -> list[NodeKey]:
        return [NodeKey(org, *row) for row in self._session.fetch(_LISTED.all, {"org": org, "name": name})]

    def listing(self, node: NodeKey) -> set[str]:
        return {row[0] for row in self._session.fetch(_LISTED.groups_of, node_values(node))}

    def listed_among(self, org: str, name: str, nodes: Sequence[NodeKey]) -> set[NodeKey]:
        rows = self._session.fetch_many(_LISTED.among, _entries(name, nodes))
        return {NodeKey(org, *row) for row in rows}

    def members(self, org: str, name: str, *, after: NodeKey | None, limit: int | None) -> list[NodeKey]:
        if limit is None:
            limit = _ALL
        # An empty name comes before every other.
        beyond = {"after_type": after.type if after else "", "after_id": after.id if after else ""}
        rows = self._session.fetch(_MEMBERS.page, {"org": org, "name": name, **beyond, "limit": limit})
        return [NodeKey(org, *row) for row in rows]

    def members_among(self, org: str, name: str, nodes: Sequence[NodeKey]) -> set[NodeKey]:
        rows = self._session.fetch_many(_MEMBERS.among, _entries(name, nodes))
        return {NodeKey(org, *row) for row in rows}

    def count_members(self, org: str, name: str) -> int:
        row = self._session.fetch_one(_MEMBERS.count, {"org": org, "name": name})
        return int(row[0]) if row else 0

    def of_node(self, node: NodeKey) -> set[str]:
        return {row[0] for row in self._session.fetch(_MEMBERS.groups_of, node_values(node))}

    def add_members(self, org: str, name: str, nodes: Sequence[NodeKey]) -> None:
        self._session.run_many(_MEMBERS.add, _entries(name, nodes))

    def remove_members(self, org: str, name: str, nodes: Sequence[NodeKey]) -> None:
        for entry in _entries(name, nodes):
            self._session.run(_MEMBERS.remove, entry)


def _entries(name: str, nodes: Sequence[NodeKey]) -> list[Parameters]:
    return [{**node_values(node), "name": name} for node in nodes]
