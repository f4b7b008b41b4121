"""The objects of a node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql.expression import ColumnElement

from common.domain.addressing import Audience, AudienceKind
from common.domain.errors import NotFound
from common.domain.ids import ObjectKey
from common.domain.instants import instant_ms_or_none
from common.domain.metadata import Metadata, ServiceId
from common.domain.names import is_valid_name
from common.domain.objects import SENDING, ObjectStatus, Payload, SyncObject
from common.store.keys import DELIVERY_KEY, KEY, key_values
from common.store.lookups import locking_look_up, look_up
from common.store.policy_terms import remove_terms, save_terms
from common.store.session import Overtaken, Row, Session
from common.store.statements import (
    NO_OFFSET,
    Bulk,
    RowLock,
    Statement,
    constant,
    matching,
    one_of,
    parameter,
    upsert,
)
from common.store.tables import object_targets, objects
from common.store.usage import SqlUsage

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
_FIND_MANY = locking_look_up(objects, OBJECT_COLUMNS, *KEY)
FIND_MANY_UNLOCKED = Bulk(
    [objects.c[name] for name in KEY], lambda values: look_up(objects, OBJECT_COLUMNS, values, *KEY)
)
_SAVE = upsert(objects, *KEY)
_SAVE_FRESH = upsert(objects, *KEY, is_replacing=False)
_REMOVE = Statement(
    sa.delete(objects).where(matching(objects, *KEY)).returning(objects.c.policy_timestamp, objects.c.payload_size)
)
_SAVE_TARGETS = upsert(object_targets, *DELIVERY_KEY)
_REMOVE_TARGETS = Statement(sa.delete(object_targets).where(matching(object_targets, *KEY)))

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


# An expression, or the index by status would do as well.
_STILL_TO_SEND = sa.and_(objects.c.is_own, one_of(objects.c.status + constant(""), SENDING))


def _timed(column: sa.Column[int], *conditions: ColumnElement[bool]) -> tuple[Statement, Statement]:
    """The keys of objects whose time in `column` has come, and the first time that will."""
    keys = sa.select(*[objects.c[name] for name in KEY]).where(column <= parameter("now_ms"), *conditions)
    first = sa.select(column).where(column.is_not(None), *conditions).order_by(column)
    return (
        Statement(keys.order_by(column).limit(parameter("limit")).offset(NO_OFFSET)),
        Statement(first.limit(constant(1)).offset(NO_OFFSET)),
    )


_LIST_EXPIRED, _NEXT_EXPIRATION = _timed(objects.c.expires_at_ms, _STILL_TO_SEND)
_LIST_TO_ACTIVATE, _NEXT_ACTIVATION = _timed(objects.c.activates_at_ms, _STILL_TO_SEND)


class SqlObjects:
    """The `ObjectStore` of one transaction."""

    def __init__(self, session: Session, audience_of: AudienceOf, usage: SqlUsage) -> None:
        self._session = session
        self._audience_of = audience_of
        self._usage = usage
        #: Keys found missing under a lock that had no row to hold: whoever creates them first wins.
        self._missing: set[ObjectKey] = set()

    def find(self, key: ObjectKey, *, lock: bool = False) -> SyncObject | None:
        row = self._session.fetch_one(_FIND_LOCKED if lock else _FIND, key_values(key))
        found = None if row is None else object_of(row)
        if lock:
            self._usage.found(key, found)
            if found is None and self._session.has_rivals:
                self._missing.add(key)
        return found

    def get(self, key: ObjectKey) -> SyncObject:
        found = self.find(key)
        if found is None:
            raise NotFound
        return found

    def find_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SyncObject]:
        rows = self._session.fetch_many(_FIND_MANY, [key_values(key) for key in sorted(keys)])
        found = {item.key: item for item in map(object_of, rows)}
        for key in keys:
            self._usage.found(key, found.get(key))
        if self._session.has_rivals:
            self._missing.update(key for key in keys if key not in found)
        return found

    def save_many(self, objects: Sequence[SyncObject]) -> None:
        self._usage.saving(objects)
        audiences = {item.key: self._audience_of(item.meta) for item in objects if item.is_own}
        fresh = [_row_of(item, audiences.get(item.key)) for item in objects if item.key in self._missing]
        known = [_row_of(item, audiences.get(item.key)) for item in objects if item.key not in self._missing]
        self._session.run_many(_SAVE, known)
        if self._session.run_many(_SAVE_FRESH, fresh) != len(fresh):
            raise Overtaken
        self._missing.difference_update(item.key for item in objects)
        self._save_targets(objects, audiences)
        save_terms(self._session, objects)

    def list_consumed_by_destination(self, keep: int, limit: int) -> list[ObjectKey]:
        rows = self._session.fetch(_LIST_CONSUMED, {"keep": keep, "limit": limit})
        return [ObjectKey(*row) for row in rows]

    def remove(self, key: ObjectKey) -> None:
        removed = self._session.fetch(_REMOVE, key_values(key))
        self._session.run(_REMOVE_TARGETS, key_values(key))
        self._usage.removed(key.org, [size for _, size in removed], key)
        if any(policy_timestamp is not None for policy_timestamp, _ in removed):
            remove_terms(self._session, [key])

    def list_expired(self, now_ms: int, limit: int) -> list[ObjectKey]:
        return [ObjectKey(*row) for row in self._session.fetch(_LIST_EXPIRED, {"now_ms": now_ms, "limit": limit})]

    def list_to_activate(self, now_ms: int, limit: int) -> list[ObjectKey]:
        return [ObjectKey(*row) for row in self._session.fetch(_LIST_TO_ACTIVATE, {"now_ms": now_ms, "limit": limit})]

    def next_expiration_at(self) -> int | None:
        row = self._session.fetch_one(_NEXT_EXPIRATION, {})
        return row[0] if row else None

    def next_activation_at(self) -> int | None:
        row = self._session.fetch_one(_NEXT_ACTIVATION, {})
        return row[0] if row else None

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


def find_object(session: Session, key: ObjectKey) -> SyncObject | None:
    """Without a lock."""
    row = session.fetch_one(_FIND, key_values(key))
    return None if row is None else object_of(row)


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
        "audience_type": audience.type if audience else _storable_name(meta.destination_type),
        "audience_id": audience.id if audience else _storable_name(meta.destination_id),
        "payload_name": payload.name if payload else None,
        "payload_size": payload.size if payload else None,
        "payload_digest": payload.digest if payload else None,
        "payload_is_small": payload.is_small if payload else None,
        "remaining_receivers": item.remaining_receivers,
        "remaining_consumers": item.remaining_consumers,
        "meta": _encode(meta).decode(),
        "has_no_data": meta.no_data,
        "is_public": meta.public,
        "expires_at_ms": instant_ms_or_none(meta.expiration),
        "activates_at_ms": instant_ms_or_none(meta.activation_time) if item.is_own and meta.inactive else None,
        "policy_timestamp": meta.destination_policy.timestamp if meta.destination_policy else None,
        "is_policy_received": item.is_policy_received,
        "is_placed": item.is_placed,
        "dropped_services": _encode(item.dropped_services).decode() if item.dropped_services else None,
        "change": item.change or None,
    }


def _storable_name(text: str) -> str:
    """Of what a peer sent only that which could be a name here: anything else finds nothing."""
    return text if is_valid_name(text) else ""
