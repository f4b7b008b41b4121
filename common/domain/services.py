"""Services beside an edge, and which objects a destination policy opens to them (rest-api 2.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from common.domain.errors import InvalidRequest
from common.domain.metadata import Metadata, ServiceId
from common.domain.objects import SyncObject
from common.domain.versions import parse_range, parse_version


@dataclass(frozen=True, slots=True)
class ServiceName:
    """A service as its credentials name it."""

    org: str
    name: str
    version: str


def is_open_to(meta: Metadata, service: ServiceName) -> bool:
    """A policy that names services is for those alone; `arch` is not compared."""
    named = meta.destination_policy.services if meta.destination_policy else None
    return not named or _first_match(named, service) is not None


def was_dropped(item: SyncObject, service: ServiceName) -> bool:
    """Did an earlier policy name this service, and has it yet to confirm that the present one does not?"""
    return not is_open_to(item.meta, service) and _first_match(item.dropped_services, service) is not None


def dropped_by(meta: Metadata, before: SyncObject | None) -> tuple[ServiceId, ...]:
    """The services that `meta`, replacing what it says in `before`, leaves to confirm that it does not name them."""
    named = meta.destination_policy.services if meta.destination_policy else None
    if before is None or not named:
        return ()
    policy = before.meta.destination_policy
    earlier = (*before.dropped_services, *((policy.services if policy else None) or ()))
    return tuple(dict.fromkeys(each for each in earlier if each not in named))


def without_dropped(item: SyncObject, service: ServiceName) -> tuple[ServiceId, ...]:
    """The dropped services that still have to confirm once this one has."""
    confirmed = _first_match(item.dropped_services, service)
    return tuple(each for each in item.dropped_services if each != confirmed)


def _first_match(entries: Iterable[ServiceId], service: ServiceName) -> ServiceId | None:
    return next((entry for entry in entries if _names(entry, service)), None)


def _names(entry: ServiceId, service: ServiceName) -> bool:
    if (entry.org_id, entry.service_name) != (service.org, service.name):
        return False
    try:
        return parse_version(service.version) in parse_range(entry.version)
    except InvalidRequest:
        # Credentials and what peers send are not checked for it; what is no version is in no range.
        return False
