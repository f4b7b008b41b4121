"""What the query of `/objects/{org}` asks for (rest-api 3.1, 3.2)."""

from __future__ import annotations

import re

from starlette.datastructures import QueryParams

from common.domain.errors import InvalidRequest
from common.domain.instants import parse_instant_ms, parse_instant_ns
from common.domain.names import is_valid_name
from common.domain.selection import PolicyService, Selection
from common.rest.paths import Malformed, first, flag

#: The largest moment in ns since 1970 that peers and databases can hold.
_LAST_NS = 2**63 - 1

_DIGITS = re.compile(r"\+?[0-9]{1,19}", re.ASCII)
_FORBIDDEN_IN_DESTINATIONS = frozenset("<>\0")


def policy_selection(query: QueryParams, org: str) -> Selection:
    """Of `destination_policy=true`. Of `since`, `service` and `received` only the first that is given counts.

    Raises Malformed.
    """
    include_received = flag(query, "received")
    since, service = first(query, "since"), first(query, "service")
    if since:
        return Selection(org, is_deleted=False, has_policy=True, policy_since=_nanoseconds(since))
    if service:
        return Selection(org, is_deleted=False, has_policy=True, policy_service=_service(service))
    return Selection(org, is_deleted=False, has_policy=True, is_policy_news=not include_received)


def filter_selection(query: QueryParams, org: str) -> Selection:
    """Of `filters=true`. Raises Malformed; InvalidRequest for names."""
    has_policy = flag(query, "destinationPolicy")
    since, service, name = (
        first(query, each) if has_policy else "" for each in ("since", "dpService", "dpPropertyName")
    )
    object_type = _name(query, "objectType")
    destination_type = _destination(query, "destinationType")
    expires_by = first(query, "expirationTimeBefore")
    return Selection(
        org,
        type=object_type,
        id=_name(query, "objectID") if object_type else None,
        is_deleted=flag(query, "deleted"),
        has_no_data=flag(query, "noData"),
        has_policy=has_policy,
        policy_since=_moment_ns(since) if since else None,
        policy_service=_service(service) if service else None,
        policy_property=name or None,
        destination_type=destination_type,
        destination_id=_destination(query, "destinationID") if destination_type else None,
        expires_by_ms=_moment_ms(expires_by) if expires_by else None,
    )


def _nanoseconds(text: str) -> int:
    if not _DIGITS.fullmatch(text) or not 1 <= int(text) <= _LAST_NS:
        raise Malformed
    return int(text)


def _moment_ns(text: str) -> int:
    moment = _parsed(text)
    if not 0 < moment <= _LAST_NS:
        raise Malformed
    return moment


def _moment_ms(text: str) -> int:
    _parsed(text)
    return parse_instant_ms(text)


def _parsed(text: str) -> int:
    try:
        return parse_instant_ns(text)
    except InvalidRequest:
        raise Malformed from None


def _service(text: str) -> PolicyService:
    org, slash, name = text.partition("/")
    if not (org and slash and name):
        raise Malformed
    return PolicyService(org, name)


def _name(query: QueryParams, parameter: str) -> str | None:
    text = first(query, parameter)
    if text and not is_valid_name(text):
        raise InvalidRequest(f"{parameter} contains characters that are not allowed.")
    return text or None


def _destination(query: QueryParams, parameter: str) -> str | None:
    """Of names only `<` and `>` are refused here (rest-api 1.7); others that are not allowed match nothing."""
    text = first(query, parameter)
    if not _FORBIDDEN_IN_DESTINATIONS.isdisjoint(text):
        raise InvalidRequest(f"{parameter} contains characters that are not allowed.")
    return text or None
