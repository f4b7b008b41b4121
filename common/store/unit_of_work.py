"""The stores of one transaction on any engine."""

from __future__ import annotations

from collections.abc import Callable

from common.store.accounts import SqlAccounts
from common.store.deliveries import SqlDeliveries
from common.store.fan_outs import SqlFanOuts
from common.store.nodes import SqlNodes
from common.store.objects import AudienceOf, SqlObjects
from common.store.payload_index import SqlPayloadIndex
from common.store.receptions import SqlReceptions
from common.store.session import Session
from common.store.uploads import SqlUploads


class SqlUnitOfWork:
    """The `UnitOfWork` of one transaction. `topics` are those to wake once it is committed."""

    def __init__(self, session: Session, audience_of: AudienceOf, draw_instances: Callable[[int], range]) -> None:
        self.objects = SqlObjects(session, audience_of)
        self.deliveries = SqlDeliveries(session)
        self.fan_outs = SqlFanOuts(session)
        self.nodes = SqlNodes(session)
        self.receptions = SqlReceptions(session)
        self.payloads = SqlPayloadIndex(session)
        self.uploads = SqlUploads(session)
        self.accounts = SqlAccounts(session)
        self.topics: set[str] = set()
        self._draw_instances = draw_instances

    def next_instances(self, count: int) -> range:
        return self._draw_instances(count)

    def wake(self, *topics: str) -> None:
        self.topics.update(topics)


def no_instances(_count: int) -> range:
    """What a snapshot answers: numbers are given out by transactions that keep what they do."""
    raise RuntimeError("instance numbers cannot be drawn in a read-only transaction")
