"""The registered nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from common.domain.ids import NodeKey
from common.domain.nodes import Node
from common.store.keys import KEY, key_values
from common.store.lookups import look_up
from common.store.session import Row, Session
from common.store.statements import NO_OFFSET, Bulk, RowLock, Statement, matching, parameter, upsert
from common.store.tables import nodes

_COLUMNS = list(nodes.columns)
_KEY_COLUMNS = [nodes.c[name] for name in KEY]

_FIND = Statement(sa.select(*_COLUMNS).where(matching(nodes, *KEY)))
_FIND_LOCKED = Statement(sa.select(*_COLUMNS).where(matching(nodes, *KEY)), lock=RowLock(nodes))
_SAVE = upsert(nodes, *KEY)
_TOUCH = Statement(sa.update(nodes).where(matching(nodes, *KEY)).values(last_seen_at_ms=parameter("now_ms")))
_REMOVE = Statement(sa.delete(nodes).where(matching(nodes, *KEY)))
_LIST_OF_ORG = Statement(sa.select(*_COLUMNS).where(matching(nodes, "org")).order_by(nodes.c.type, nodes.c.id))


def _page_of_org(*columns: sa.Column[Any]) -> Statement:
    after = sa.tuple_(parameter("after_type", sa.Text), parameter("after_id", sa.Text))
    return Statement(
        sa.select(*columns)
        .where(matching(nodes, "org"), sa.tuple_(nodes.c.type, nodes.c.id) > after)
        .order_by(nodes.c.type, nodes.c.id)
        .limit(parameter("limit"))
        .offset(NO_OFFSET)
    )


_PAGE_OF_ORG = _page_of_org(*_COLUMNS)
_KEYS_OF_ORG = _page_of_org(*_KEY_COLUMNS)
_EXISTING = Bulk(_KEY_COLUMNS, lambda values: look_up(nodes, _KEY_COLUMNS, values, *KEY))
_COUNT = sa.select(sa.func.count()).select_from(nodes)
_COUNT_ALL = Statement(_COUNT)
_COUNT_OF_TYPE = Statement(_COUNT.where(matching(nodes, "type")))
_COUNT_OF_ORG = Statement(_COUNT.where(matching(nodes, "org")))
_COUNT_OF_ORG_AND_TYPE = Statement(_COUNT.where(matching(nodes, "org", "type")))


class SqlNodes:
    """The `NodeStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, key: NodeKey, *, lock: bool = False) -> Node | None:
        row = self._session.fetch_one(_FIND_LOCKED if lock else _FIND, key_values(key))
        return _node_of(row) if row else None

    def save(self, node: Node) -> None:
        self._session.run_many(_SAVE, [_row_of(node)])

    def touch(self, key: NodeKey, now_ms: int) -> None:
        self._session.run(_TOUCH, {**key_values(key), "now_ms": now_ms})

    def remove(self, key: NodeKey) -> None:
        self._session.run(_REMOVE, key_values(key))

    def list_of_org(self, org: str) -> list[Node]:
        return [_node_of(row) for row in self._session.fetch(_LIST_OF_ORG, {"org": org})]

    def page_of_org(self, org: str, *, after: tuple[str, str], limit: int) -> list[Node]:
        return [_node_of(row) for row in self._session.fetch(_PAGE_OF_ORG, _page(org, after, limit))]

    def keys_of_org(self, org: str, *, after: tuple[str, str], limit: int) -> list[NodeKey]:
        return [NodeKey(*row) for row in self._session.fetch(_KEYS_OF_ORG, _page(org, after, limit))]

    def existing(self, keys: Sequence[NodeKey]) -> set[NodeKey]:
        rows = self._session.fetch_many(_EXISTING, [key_values(key) for key in keys])
        return {NodeKey(*row) for row in rows}

    def count(self, org: str | None = None, node_type: str | None = None) -> int:
        if org is None:
            statement = _COUNT_ALL if node_type is None else _COUNT_OF_TYPE
        else:
            statement = _COUNT_OF_ORG if node_type is None else _COUNT_OF_ORG_AND_TYPE
        asked = {name: value for name, value in (("org", org), ("type", node_type)) if value is not None}
        row = self._session.fetch_one(statement, asked)
        return int(row[0]) if row else 0

    def lock_org_shared(self, orgs: Iterable[str]) -> None:
        self._session.lock_shared(sorted(set(orgs)))

    def lock_org(self, org: str) -> None:
        self._session.lock_alone(org)


def _page(org: str, after: tuple[str, str], limit: int) -> dict[str, object]:
    return {"org": org, "after_type": after[0], "after_id": after[1], "limit": limit}


def _row_of(node: Node) -> dict[str, object]:
    return {
        **key_values(node.key),
        "communication": node.communication,
        "code_version": node.code_version,
        "is_persistent": node.is_persistent,
        "capabilities": " ".join(sorted(node.capabilities)),
        "registered_at_ms": node.registered_at_ms,
        "last_seen_at_ms": node.last_seen_at_ms,
    }


def _node_of(row: Row) -> Node:
    org, node_type, node_id, communication, code_version, is_persistent, capabilities, registered_at, last_seen_at = row
    return Node(
        NodeKey(org, node_type, node_id),
        communication,
        code_version,
        bool(is_persistent),
        frozenset(capabilities.split()),
        registered_at,
        last_seen_at,
    )
