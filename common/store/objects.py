"""The objects of a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import msgspec
import sqlalchemy as sa

from common.domain.addressing import Audience, AudienceKind
from common.domain.errors import InvalidRequest, NotFound
from common.domain.ids import ObjectKey
from common.domain.instants import parse_instant_ms
from common.domain.metadata import Metadata, ServiceId
from common.domain.objects import ObjectStatus, Payload, SyncObject
from common.store.keys import DELIVERY_KEY, KEY, key_values
from common.store.session import Overtaken, Row, Session
from common.store.statements import (
    NO_OFFSET,
    Bulk,
    RowLock,
    Statement,
    constant,
    joined,
    matching,
    parameter,
    upsert,
)
from common.store.tables import object_targets, objects

AudienceOf: TypeAlias = Callable[[Metadata], Audience]

#: What `object_of` reads, in its order.
OBJECT_COLUMNS = [
    objects.c[name]
    for name in (
        *KEY,
        "meta",
        "status",
        "is_own",
        "payload_name",
        "payload_size",
        "payload_digest",
        "payload_is_small",
        "remaining_receivers",
        "remaining_consumers",
        "is_policy_received",
        "is_placed",
        "dropped_services",
        "change",
    )
]

_BY_KEY = sa.select(*OBJECT_COLUMNS).where(matching(objects, *KEY))
_FIND = Statement(_BY_KEY)
_FIND_LOCKED = Statement(_BY_KEY, lock=RowLock(objects))


def _find_many(lock: RowLock | None) -> Bulk:
    in_key_order = [objects.c[name] for name in KEY]
    return Bulk(
        in_key_order,
        lambda values: sa.select(*OBJECT_COLUMNS).where(joined(objects, values, *KEY)).order_by(*in_key_order),
        lock=lock,
    )


_FIND_MANY = _find_many(RowLock(objects))
FIND_MANY_UNLOCKED = _find_many(None)
_SAVE = upsert(objects, *KEY)
_SAVE_FRESH = upsert(objects, *KEY, is_replacing=False)
_REMOVE = Statement(sa.delete(objects).where(matching(objects, *KEY)))
_SAVE_TARGETS = upsert(object_targets, *DELIVERY_KEY)
_REMOVE_TARGETS = Statement(sa.delete(object_targets).where(matching(object_targets, *KEY)))

_PAGE = (
    sa.select(*OBJECT_COLUMNS)
    .where(matching(objects, "org", "type"), objects.c.id > parameter("after", objects.c.id.type))
    .order_by(objects.c.id)
    .limit(parameter("limit"))
    .offset(NO_OFFSET)
)
_LIST = Statement(_PAGE)
_LIST_IN_STATUS = Statement(_PAGE.where(matching(objects, "status")))
_COUNT_OWN = Statement(
    sa.select(sa.func.count()).where(objects.c.is_own, objects.c.status != constant(ObjectStatus.DELETED))
)

_decode_meta = msgspec.json.Decoder(Metadata).decode
_decode_services = msgspec.json.Decoder(tuple[ServiceId, ...]).decode
_encode = msgspec.json.Encoder().encode


_LIST_CONSUMED = Statement(
    sa.select(*[objects.c[name] for name in KEY])
    .where(objects.c.is_own, objects.c.status == constant(ObjectStatus.CONSUMED_BY_DESTINATION))
    .order_by(objects.c.instance.desc())
    .limit(parameter("limit"))
    .offset(parameter("keep"))
)


class SqlObjects:
    """The `ObjectStore` of one transaction."""

    def __init__(self, session: Session, audience_of: AudienceOf) -> None:
        self._session = session
        self._audience_of = audience_of
        #: Keys found missing under a lock that had no row to hold: whoever creates them first wins.
        self._missing: set[ObjectKey] = set()

    def find(self, key: ObjectKey, *, lock: bool = False) -> SyncObject | None:
        row = self._session.fetch_one(_FIND_LOCKED if lock else _FIND, key_values(key))
        if row is None:
            if lock and self._session.has_rivals:
                self._missing.add(key)
            return None
        return object_of(row)

    def get(self, key: ObjectKey) -> SyncObject:
        found = self.find(key)
        if found is None:
            raise NotFound
        return found

    def find_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SyncObject]:
        rows = self._session.fetch_many(_FIND_MANY, [key_values(key) for key in keys])
        found = {item.key: item for item in map(object_of, rows)}
        if self._session.has_rivals:
            self._missing.update(key for key in keys if key not in found)
        return found

    def save_many(self, objects: Sequence[SyncObject]) -> None:
        audiences = {item.key: self._audience_of(item.meta) for item in objects if item.is_own}
        fresh = [_row_of(item, audiences.get(item.key)) for item in objects if item.key in self._missing]
        known = [_row_of(item, audiences.get(item.key)) for item in objects if item.key not in self._missing]
        self._session.run_many(_SAVE, known)
        if self._session.run_many(_SAVE_FRESH, fresh) != len(fresh):
            raise Overtaken
        self._missing.difference_update(item.key for item in objects)
        self._save_targets(objects, audiences)

    def list_consumed_by_destination(self, keep: int, limit: int) -> list[ObjectKey]:
        rows = self._session.fetch(_LIST_CONSUMED, {"keep": keep, "limit": limit})
        return [ObjectKey(*row) for row in rows]

    def remove(self, key: ObjectKey) -> None:
        self._session.run(_REMOVE, key_values(key))
        self._session.run(_REMOVE_TARGETS, key_values(key))

    def list_of_type(
        self, org: str, object_type: str, *, statuses: Iterable[ObjectStatus] | None, after: str, limit: int
    ) -> list[SyncObject]:
        page = {"org": org, "type": object_type, "after": after, "limit": limit}
        if statuses is None:
            return [object_of(row) for row in self._session.fetch(_LIST, page)]
        rows = [
            row
            for status in dict.fromkeys(statuses)
            for row in self._session.fetch(_LIST_IN_STATUS, {**page, "status": status.value})
        ]
        # Code points sort as their UTF-8 does.
        rows.sort(key=lambda row: row[2])
        return [object_of(row) for row in rows[:limit]]

    def count_own(self) -> int:
        row = self._session.fetch_one(_COUNT_OWN, {})
        return int(row[0]) if row else 0

    def _save_targets(self, objects: Sequence[SyncObject], audiences: dict[ObjectKey, Audience]) -> None:
        for item in objects:
            audience = audiences.get(item.key)
            if audience is not None and audience.kind is AudienceKind.LIST:
                self._session.run(_REMOVE_TARGETS, key_values(item.key))
                targets: list[dict[str, object]] = [
                    {**key_values(item.key), "node_type": node.type, "node_id": node.id, "instance": item.instance}
                    for node in audience.nodes
                ]
                self._session.run_many(_SAVE_TARGETS, targets)


def object_of(row: Row) -> SyncObject:
    """An object from the OBJECT_COLUMNS."""
    (
        *key,
        meta,
        status,
        is_own,
        name,
        size,
        digest,
        is_small,
        receivers,
        consumers,
        is_policy_received,
        is_placed,
        dropped_services,
        change,
    ) = row
    return SyncObject(
        ObjectKey(*key),
        _decode_meta(meta),
        ObjectStatus(status),
        bool(is_own),
        None if name is None else Payload(name, size, digest, bool(is_small)),
        receivers,
        consumers,
        bool(is_policy_received),
        bool(is_placed),
        _decode_services(dropped_services) if dropped_services else (),
        change or 0,
    )


def _row_of(item: SyncObject, audience: Audience | None) -> dict[str, object]:
    payload, meta = item.payload, item.meta
    return {
        "org": item.key.org,
        "type": item.key.type,
        "id": item.key.id,
        "instance": item.instance,
        "status": item.status.value,
        "is_own": item.is_own,
        "is_deliverable": item.is_deliverable,
        "audience_kind": audience.kind.value if audience else None,
        "audience_type": audience.type if audience else None,
        "audience_id": audience.id if audience else None,
        "payload_name": payload.name if payload else None,
        "payload_size": payload.size if payload else None,
        "payload_digest": payload.digest if payload else None,
        "payload_is_small": payload.is_small if payload else None,
        "remaining_receivers": item.remaining_receivers,
        "remaining_consumers": item.remaining_consumers,
        "meta": _encode(meta).decode(),
        "has_no_data": meta.no_data,
        "is_public": meta.public,
        "expires_at_ms": _instant_ms(meta.expiration),
        "activates_at_ms": _instant_ms(meta.activation_time) if item.is_own and meta.inactive else None,
        "policy_timestamp": meta.destination_policy.timestamp if meta.destination_policy else None,
        "is_policy_received": item.is_policy_received,
        "is_placed": item.is_placed,
        "dropped_services": _encode(item.dropped_services).decode() if item.dropped_services else None,
        "change": item.change or None,
    }


def _instant_ms(text: str) -> int | None:
    """What a peer sent may be no time at all: then nothing ever comes of it."""
    try:
        return parse_instant_ms(text) if text else None
    except InvalidRequest:
        return None
