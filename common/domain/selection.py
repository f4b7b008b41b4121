"""Which objects of an organization a list is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from common.domain.addressing import parse_destination
from common.domain.instants import instant_ms_or_none
from common.domain.metadata import Policy
from common.domain.objects import ObjectStatus, SyncObject


class ListPosition(NamedTuple):
    """A place in a list. Lists run through types, and through the ids of each, in byte order."""

    type: str = ""
    id: str = ""


#: Before everything: no name is empty.
START = ListPosition()


class PolicyService(NamedTuple):
    """A service as lists ask for it: whatever its version and architecture."""

    org: str
    name: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Objects of `org` that meet every condition; None, and False for the last two, ask for nothing."""

    org: str
    type: str | None = None
    #: Means nothing without a type.
    id: str | None = None
    statuses: frozenset[ObjectStatus] | None = None
    is_deleted: bool | None = None
    has_no_data: bool | None = None
    has_policy: bool | None = None
    #: The policy's timestamp is at or after this one, in ns since 1970.
    policy_since: int | None = None
    policy_service: PolicyService | None = None
    policy_property: str | None = None
    #: The object's own destination type, or that of a node its destinations list names.
    destination_type: str | None = None
    #: Means nothing without a destination type.
    destination_id: str | None = None
    #: The object expires at this time or earlier, in ms since 1970.
    expires_by_ms: int | None = None
    #: Only what has a policy that no policy engine has marked as received.
    is_policy_news: bool = False
    is_public: bool = False

    def includes(self, item: SyncObject) -> bool:
        return (
            item.key.org == self.org
            and self.type in (None, item.key.type)
            and (self.type is None or self.id in (None, item.key.id))
            and (self.statuses is None or item.status in self.statuses)
            and self.is_deleted in (None, item.status is ObjectStatus.DELETED)
            and self.has_no_data in (None, item.meta.no_data)
            and (item.meta.public or not self.is_public)
            and self._includes_policy(item)
            and self._includes_destinations(item)
            and self._includes_expiration(item.meta.expiration)
        )

    def _includes_policy(self, item: SyncObject) -> bool:
        policy = item.meta.destination_policy
        if policy is None:
            asks_for_one = self.policy_since is not None or self.policy_service or self.policy_property
            return not (self.has_policy or self.is_policy_news or asks_for_one)
        return (
            self.has_policy is not False
            and not (self.is_policy_news and item.is_policy_received)
            and (self.policy_since is None or policy.timestamp >= self.policy_since)
            and (self.policy_service is None or self.policy_service in services_of(policy))
            and (self.policy_property is None or self.policy_property in properties_of(policy))
        )

    def _includes_destinations(self, item: SyncObject) -> bool:
        if self.destination_type is None:
            return True
        meta = item.meta
        if meta.destination_type or not item.is_own:
            return meta.destination_type == self.destination_type and self.destination_id in (None, meta.destination_id)
        named = [parse_destination(self.org, text) for text in meta.destinations_list or ()]
        return any(node.type == self.destination_type and self.destination_id in (None, node.id) for node in named)

    def _includes_expiration(self, expiration: str) -> bool:
        if self.expires_by_ms is None:
            return True
        expires_at_ms = instant_ms_or_none(expiration)
        return expires_at_ms is not None and expires_at_ms <= self.expires_by_ms


def services_of(policy: Policy) -> set[PolicyService]:
    return {PolicyService(service.org_id, service.service_name) for service in policy.services or ()}


def properties_of(policy: Policy) -> set[str]:
    return {each.name for each in policy.properties or ()}
