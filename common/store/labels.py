"""The labels of nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa

from common.domain.ids import NodeKey
from common.domain.labels import Labels, LabelSource, effective
from common.store.group_tables import node_labels
from common.store.keys import NODE, node_values
from common.store.lookups import look_up
from common.store.session import Session
from common.store.statements import Bulk, Statement, matching, upsert

_NODE = ("org", *NODE)
_OF_NODE = matching(node_labels, *_NODE)

_FIND = Statement(sa.select(node_labels.c.source, node_labels.c.name, node_labels.c.value).where(_OF_NODE))
_FIND_MANY = Bulk(
    [node_labels.c[name] for name in _NODE],
    lambda values: look_up(node_labels, list(node_labels.columns), values, *_NODE),
)
_SAVE = upsert(node_labels, *_NODE, "source", "name")
_REMOVE = Statement(sa.delete(node_labels).where(_OF_NODE, matching(node_labels, "source")))


class SqlLabels:
    """The `LabelStore` of one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of_node(self, node: NodeKey) -> dict[LabelSource, dict[str, str]]:
        found: dict[LabelSource, dict[str, str]] = defaultdict(dict)
        for source, name, value in self._session.fetch(_FIND, node_values(node)):
            found[LabelSource(source)][name] = value
        return dict(found)

    def of_nodes(self, nodes: Sequence[NodeKey]) -> dict[NodeKey, dict[str, str]]:
        found: dict[NodeKey, dict[LabelSource, dict[str, str]]] = {node: defaultdict(dict) for node in nodes}
        for *node, source, name, value in self._session.fetch_many(_FIND_MANY, [node_values(node) for node in nodes]):
            found[NodeKey(*node)][LabelSource(source)][name] = value
        return {node: effective(by_source) for node, by_source in found.items()}

    def replace(self, node: NodeKey, source: LabelSource, labels: Labels) -> None:
        of_source = {**node_values(node), "source": source.value}
        self._session.run(_REMOVE, of_source)
        self._session.run_many(_SAVE, [{**of_source, "name": name, "value": labels[name]} for name in sorted(labels)])
