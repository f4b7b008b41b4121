"""The stores of one transaction on any engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from common.store.accounts import SqlAccounts
from common.store.counters import SqlCounters
from common.store.deliveries import SqlDeliveries
from common.store.fan_outs import SqlFanOuts
from common.store.nodes import SqlNodes
from common.store.object_lists import SqlObjectLists
from common.store.objects import AudienceOf, SqlObjects
from common.store.payload_index import SqlPayloadIndex
from common.store.receptions import SqlReceptions
from common.store.session import Session
from common.store.uploads import SqlUploads
from common.store.usage import SqlUsage
from common.store.webhook_queue import SqlWebhookQueue
from common.store.webhooks import SqlWebhooks
from common.sync.access_lists import AccessListStore
from common.sync.audit import AuditStore
from common.sync.changes import ChangeStore
from common.sync.enrolment import EnrolmentStore
from common.sync.groups import GroupDeliveryStore, GroupStore, LabelStore, PlacementStore, ReviewStore
from common.sync.organizations import OrganizationStore
from common.sync.quota_ports import QuotaStore


class SqlUnitOfWork:
    """The `UnitOfWork` of one transaction. `topics` are those to wake once it is committed."""

    def __init__(
        self,
        session: Session,
        audience_of: AudienceOf,
        changes: ChangeStore,
        draw_instances: Callable[[int], range],
    ) -> None:
        self.usage = SqlUsage(session)
        self.objects = SqlObjects(session, audience_of, self.usage)
        self.object_lists = SqlObjectLists(session)
        self.deliveries = SqlDeliveries(session)
        self.fan_outs = SqlFanOuts(session)
        self.nodes = SqlNodes(session)
        self.receptions = SqlReceptions(session)
        self.payloads = SqlPayloadIndex(session)
        self.uploads = SqlUploads(session)
        self.accounts = SqlAccounts(session)
        self.webhooks = SqlWebhooks(session)
        self.webhook_queue = SqlWebhookQueue(session)
        self.counters = SqlCounters(session)
        self.changes = changes
        self._session = session
        self.topics: set[str] = set()
        self._draw_instances = draw_instances

    @cached_property
    def audit(self) -> AuditStore:
        from common.store.audit import SqlAudit

        return SqlAudit(self._session)

    # Tenants, groups and placement are the cloud's: an edge never loads what follows.

    @cached_property
    def access_lists(self) -> AccessListStore:
        from common.store.access_lists import SqlAccessLists

        return SqlAccessLists(self._session)

    @cached_property
    def organizations(self) -> OrganizationStore:
        from common.store.organizations import SqlOrganizations

        return SqlOrganizations(self._session, self.usage)

    @cached_property
    def quotas(self) -> QuotaStore:
        from common.store.quotas import SqlQuotas

        return SqlQuotas(self._session)

    @cached_property
    def enrolment(self) -> EnrolmentStore:
        from common.store.enrolment import SqlEnrolments

        return SqlEnrolments(self._session)

    @cached_property
    def labels(self) -> LabelStore:
        from common.store.labels import SqlLabels

        return SqlLabels(self._session)

    @cached_property
    def groups(self) -> GroupStore:
        from common.store.groups import SqlGroups

        return SqlGroups(self._session)

    @cached_property
    def group_deliveries(self) -> GroupDeliveryStore:
        from common.store.group_deliveries import SqlGroupDeliveries

        return SqlGroupDeliveries(self._session)

    @cached_property
    def reviews(self) -> ReviewStore:
        from common.store.reviews import SqlReviews

        return SqlReviews(self._session)

    @cached_property
    def placements(self) -> PlacementStore:
        from common.store.placements import SqlPlacements

        return SqlPlacements(self._session)

    def next_instances(self, count: int) -> range:
        return self._draw_instances(count)

    def finish(self) -> None:
        """Called when the use case has ended well, before its commit."""
        self.usage.flush()

    def wake(self, *topics: str) -> None:
        self.topics.update(topics)


def no_instances(_count: int) -> range:
    """What a snapshot answers: numbers are given out by transactions that keep what they do."""
    raise RuntimeError("instance numbers cannot be drawn in a read-only transaction")
