"""The owner's use cases: publish, replace data, delete. One method is (part of) one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from common.domain import objects as domain
from common.domain.addressing import Audience, AudienceKind
from common.domain.delivery import Delivery, opening
from common.domain.errors import InvalidRequest, NotFound, SyncError
from common.domain.ids import NodeKey, ObjectKey
from common.domain.metadata import Metadata
from common.domain.objects import ObjectStatus, Payload, SyncObject
from common.domain.publishing import LocalNode
from common.sync import wakeups
from common.sync.copies import remove_copy
from common.sync.ports import UnitOfWork
from common.sync.records import FanOut, Opening

#: Up to so many nodes get their delivery inside the publishing transaction; beyond, a background turn continues.
INLINE_FAN_OUT_NODES = 100


@dataclass(frozen=True, slots=True)
class PutObject:
    """Create or update an own object. `meta` is validated and completed; at most one of `data` and `payload` is set."""

    key: ObjectKey
    meta: Metadata
    #: Data small enough for the database.
    data: bytes | None = None
    #: Larger data, already sealed in the payload store.
    payload: Payload | None = None
    #: SHA-256 of `data` in hex.
    digest: str = ""


class Publisher:
    """Writes new instances of own objects, each together with the deliveries it causes."""

    def __init__(self, local: LocalNode, now_ms: Callable[[], int]) -> None:
        self._local = local
        self._now_ms = now_ms
        self._node_counts = _NodeCounts(now_ms)

    def put_many(self, uow: UnitOfWork, commands: Sequence[PutObject]) -> list[SyncObject | SyncError]:
        """Publish a batch; each command gets its own result, in order, and a refused one changes nothing.

        Two commands for one key are applied in order; only the last instance is stored and delivered.
        """
        uow.nodes.lock_org_shared({command.key.org for command in commands})
        stored = uow.objects.find_many(list({command.key for command in commands}))
        unknown = self._unknown_destinations(uow, commands)
        revision = _Revision(dict(stored))
        instances = uow.next_instances(len(commands))
        results = [
            revision.apply(command, instance, unknown) for command, instance in zip(commands, instances, strict=True)
        ]
        self._save(uow, stored, revision)
        return results

    def put_data(
        self,
        uow: UnitOfWork,
        key: ObjectKey,
        payload: Payload,
        data: bytes | None = None,
        *,
        upload_chunk_bytes: int = 0,
    ) -> SyncObject:
        """Replace the data of an own object; `data` are the bytes of a small payload. Raises NotFound, InvalidRequest."""
        uow.nodes.lock_org_shared({key.org})
        current = uow.objects.find(key, lock=True)
        if current is None:
            raise NotFound
        revised = domain.with_data(current, payload, uow.next_instances(1)[0], upload_chunk_bytes)
        revision = _Revision({key: current})
        revision.accept(revised, data)
        self._save(uow, {key: current}, revision)
        return revised

    def delete(self, uow: UnitOfWork, key: ObjectKey) -> None:
        """Delete an object (rest-api 3.9). Raises NotFound, and InvalidRequest for a received one on an edge.

        A second delete keeps delivering the first one's news.
        """
        uow.nodes.lock_org_shared({key.org})
        current = uow.objects.find(key, lock=True)
        if current is None:
            raise NotFound
        if not current.is_own:
            self._delete_received(uow, current)
            return
        if current.status is ObjectStatus.DELETED:
            return
        now_ms = self._now_ms()
        uow.fan_outs.remove(key)
        self._abandon_upload(uow, key, None)
        if current.payload is not None:
            uow.payloads.discard_many([current.payload], now_ms)
        if uow.deliveries.withdraw_all(key, now_ms) == 0:
            uow.objects.remove(key)
            return
        meta = msgspec.structs.replace(current.meta, deleted=True)
        uow.objects.save_many([replace(current, meta=meta, status=ObjectStatus.DELETED, payload=None)])
        # Every destination has something due; the organization's topic reaches them all without naming each.
        uow.wake(f"org:{key.org}")

    def destinations(self, uow: UnitOfWork, key: ObjectKey) -> list[Delivery]:
        """Every destination of the object, also those a fan-out in the background has not reached yet. Raises NotFound."""
        uow.objects.get(key)
        deliveries = uow.deliveries.list_of_object(key)
        fan_out = uow.fan_outs.find(key)
        if fan_out is None:
            return deliveries
        current = {d.node for d in deliveries if d.instance == fan_out.instance}
        opened = {
            node.key: opening(key, node.key, fan_out.instance, fan_out.is_deliverable, self._now_ms())
            for node in uow.nodes.list_of_org(key.org)
            if fan_out.audience.includes(node.key) and node.key not in current
        }
        kept = [opened.pop(d.node, d) for d in deliveries]
        return [*kept, *opened.values()]

    def continue_fan_out(self, uow: UnitOfWork, limit: int) -> bool:
        """Open the next `limit` deliveries of the oldest unfinished fan-out; False when there is none."""
        fan_out = uow.fan_outs.next()
        if fan_out is None:
            return False
        last = uow.deliveries.open_page(fan_out, self._now_ms(), limit)
        if last is None:
            uow.fan_outs.remove(fan_out.object)
        else:
            uow.fan_outs.advance(fan_out.object, last)
            uow.wake(*wakeups.audience_topics(fan_out.audience))
        return True

    def _unknown_destinations(self, uow: UnitOfWork, commands: Sequence[PutObject]) -> set[NodeKey]:
        named = {
            node
            for command in commands
            if command.meta.destinations_list
            for node in self._local.audience(command.meta).nodes
        }
        return named - uow.nodes.existing(sorted(named)) if named else set()

    def _save(self, uow: UnitOfWork, before: dict[ObjectKey, SyncObject], revision: _Revision) -> None:
        if not revision.changed:
            return
        now_ms = self._now_ms()
        objects = list(revision.changed.values())
        small = [(o.payload.name, revision.data[o.key]) for o in objects if o.payload and o.key in revision.data]
        if small:
            uow.payloads.save_small_many(small)
        uow.objects.save_many(objects)
        self._discard_replaced(uow, before, revision.changed, now_ms)
        self._fan_out(uow, before, objects, now_ms)

    def _discard_replaced(
        self, uow: UnitOfWork, before: dict[ObjectKey, SyncObject], after: dict[ObjectKey, SyncObject], now_ms: int
    ) -> None:
        replaced = [
            old.payload
            for key, old in before.items()
            if key in after and old.payload is not None and old.payload != after[key].payload
        ]
        if replaced:
            uow.payloads.discard_many(replaced, now_ms)
        for key in before.keys() & after.keys():
            self._abandon_upload(uow, key, after[key].payload)

    def _abandon_upload(self, uow: UnitOfWork, key: ObjectKey, payload: Payload | None) -> None:
        """An upload in pieces has become `payload`, or a new version began: pieces of the old one must not get into it."""
        upload = uow.uploads.find(key, lock=True)
        if upload is None:
            return
        if payload is None or payload.name != upload.staged:
            uow.payloads.discard_many([upload.staged], self._now_ms())
        uow.uploads.remove(key)

    def _fan_out(
        self, uow: UnitOfWork, before: dict[ObjectKey, SyncObject], objects: list[SyncObject], now_ms: int
    ) -> None:
        inline: list[Opening] = []
        for item in objects:
            audience = self._local.audience(item.meta)
            old = before.get(item.key)
            if old is not None:
                uow.fan_outs.remove(item.key)
                if audience.kind is not AudienceKind.PLACED and self._local.audience(old.meta) != audience:
                    uow.deliveries.withdraw_unaddressed(item.key, audience, now_ms)
                    uow.wake(f"org:{item.key.org}")
            if self._node_counts.is_large(uow, audience):
                uow.fan_outs.add(FanOut(item.key, item.instance, audience, item.is_deliverable))
                uow.wake(wakeups.FAN_OUT)
                continue
            inline.append(Opening(item.key, item.instance, audience, item.is_deliverable, now_ms))
            if item.is_deliverable:
                uow.wake(*wakeups.audience_topics(audience))
        uow.deliveries.open_many(inline)

    def _delete_received(self, uow: UnitOfWork, current: SyncObject) -> None:
        if not self._local.is_cloud:
            raise InvalidRequest("This object came from the cloud; applications consume it, only its owner deletes it.")
        remove_copy(uow, current, self._now_ms())


class _Revision:
    """The objects of one batch as its commands change them, one after the other."""

    def __init__(self, stored: dict[ObjectKey, SyncObject]) -> None:
        self._current = stored
        self.changed: dict[ObjectKey, SyncObject] = {}
        #: Bytes of small payloads by object.
        self.data: dict[ObjectKey, bytes] = {}

    def apply(self, command: PutObject, instance: int, unknown: set[NodeKey]) -> SyncObject | SyncError:
        try:
            self._check_destinations(command, unknown)
            payload = command.payload or _small_payload(command, instance)
            revised = domain.revise(self._current.get(command.key), command.key, command.meta, payload, instance)
        except SyncError as error:
            return error
        self.accept(revised, command.data if revised.payload is payload else None)
        return revised

    def accept(self, revised: SyncObject, data: bytes | None) -> None:
        self._current[revised.key] = self.changed[revised.key] = revised
        if data is not None:
            self.data[revised.key] = data
        elif revised.payload is None or not revised.payload.is_small:
            self.data.pop(revised.key, None)

    @staticmethod
    def _check_destinations(command: PutObject, unknown: set[NodeKey]) -> None:
        if unknown and command.meta.destinations_list:
            for text in command.meta.destinations_list:
                if NodeKey(command.key.org, *text.split(":")) in unknown:
                    raise InvalidRequest(f"The destination {text} is not registered.")


def _small_payload(command: PutObject, instance: int) -> Payload | None:
    if command.data is None:
        return None
    digest = command.digest or hashlib.sha256(command.data).hexdigest()
    return Payload(payload_name(command.key, str(instance)), len(command.data), digest, is_small=True)


def payload_name(key: ObjectKey, token: str) -> str:
    """A name no other object or version shares, whatever characters the key has: 64 hex digits.

    Parts are length-prefixed before hashing: joining them raw is how two objects came to share one file.
    """
    digest = hashlib.sha256()
    for part in (*key, token):
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()


class _NodeCounts:
    """How many nodes an audience has, roughly. Being wrong only moves work between the publish and the background turn."""

    _REFRESH_MS = 5_000

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._counts: dict[tuple[str, str], tuple[int, int]] = {}

    def is_large(self, uow: UnitOfWork, audience: Audience) -> bool:
        if audience.kind not in (AudienceKind.EVERYONE, AudienceKind.TYPE):
            return False
        key = (audience.org, audience.type)
        now_ms = self._now_ms()
        count, counted_at_ms = self._counts.get(key, (0, 0))
        if not 0 <= now_ms - counted_at_ms < self._REFRESH_MS:
            if len(self._counts) > 10_000:
                self._counts.clear()
            count = uow.nodes.count(audience.org, audience.type or None)
            self._counts[key] = (count, now_ms)
        return count > INLINE_FAN_OUT_NODES
