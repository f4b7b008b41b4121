"""The owner's use cases: publish, replace data, delete. One method is (part of) one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from common.domain import objects as domain
from common.domain.addressing import GROUP_TYPE, AudienceKind
from common.domain.delivery import Delivery
from common.domain.errors import InvalidRequest, NotFound, SyncError
from common.domain.ids import NodeKey, ObjectKey
from common.domain.objects import ObjectStatus, Payload, SyncObject
from common.domain.preconditions import UNCONDITIONAL, Precondition, data_validator, object_validator
from common.domain.publishing import LocalNode
from common.domain.signing import Verdict
from common.sync import wakeups
from common.sync.copies import remove_copy
from common.sync.fan_out import FanOuts
from common.sync.ports import UnitOfWork
from common.sync.quotas import Quotas
from common.sync.revision import PutObject, Revision
from common.sync.showing import show


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """An object before and after a publish that has not happened."""

    before: SyncObject | None
    after: SyncObject
    #: Those it has before.
    destinations: list[Delivery]


class Publisher:
    """Writes new instances of own objects, each together with the deliveries it causes."""

    def __init__(
        self,
        local: LocalNode,
        fan_outs: FanOuts,
        now_ms: Callable[[], int],
        published: Callable[[UnitOfWork, SyncObject], None] | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        """`published` is part of a publish: it is told of each object whose metadata was PUT. Without `quotas` nothing is
        limited.
        """
        self._local = local
        self._fan_outs = fan_outs
        self._now_ms = now_ms
        self._published = published
        self._quotas = quotas or Quotas()

    def put_many(self, uow: UnitOfWork, commands: Sequence[PutObject]) -> list[SyncObject | SyncError]:
        """Publish a batch; each command gets its own result, in order, and a refused one changes nothing.

        Two commands for one key are applied in order; only the last instance is stored and delivered.
        """
        orgs = {command.key.org for command in commands}
        uow.nodes.lock_org_shared(orgs)
        room = self._quotas.room(uow, orgs)
        stored = uow.objects.find_many(list({command.key for command in commands}))
        unknown = self._unknown_destinations(uow, commands)
        revision = Revision(dict(stored), room)
        instances = uow.next_instances(len(commands))
        results = [
            revision.apply(command, instance, unknown) for command, instance in zip(commands, instances, strict=True)
        ]
        if revision.changed:
            self._save(uow, stored, revision)
            changed = revision.changed.values()
            self._fan_outs.open_many(
                uow, [(item, self._fan_outs.readdress(uow, stored.get(item.key), item)) for item in changed]
            )
            self._expect(uow, changed)
            if self._published is not None:
                for item in changed:
                    self._published(uow, item)
        return results

    def rehearse(self, uow: UnitOfWork, command: PutObject) -> Rehearsal:
        """What `put_many` would do; nothing is changed. Raises what it would refuse the command with."""
        room = self._quotas.room(uow, [command.key.org])
        stored = uow.objects.find_many([command.key])
        before = stored.get(command.key)
        revision = Revision(dict(stored), room)
        # Larger than any there was: the number itself will be another one.
        instance = before.instance + 1 if before else 1
        after = revision.apply(command, instance, self._unknown_destinations(uow, [command]))
        if isinstance(after, SyncError):
            raise after
        return Rehearsal(before, after, self._fan_outs.destinations(uow, command.key) if before else [])

    def put_data(
        self,
        uow: UnitOfWork,
        key: ObjectKey,
        payload: Payload,
        data: bytes | None = None,
        *,
        upload_chunk_bytes: int = 0,
        verdict: Verdict | None = None,
        precondition: Precondition = UNCONDITIONAL,
    ) -> SyncObject:
        """Replace the data of an own object; `data` are the bytes of a small payload.

        Raises NotFound, InvalidRequest, PreconditionFailed, QuotaExceeded, and OutdatedVerdict when the object declares
        another signature by now than `verdict` is about.
        """
        uow.nodes.lock_org_shared({key.org})
        room = self._quotas.room(uow, [key.org])
        current = uow.objects.find(key, lock=True)
        if current is None:
            raise NotFound
        revised = domain.with_data(current, payload, uow.next_instances(1)[0], upload_chunk_bytes, verdict)
        precondition.check(data_validator(current))
        room.take_object(current, revised)
        revision = Revision({key: current}, room)
        revision.accept(revised, data)
        self._save(uow, {key: current}, revision)
        self._fan_outs.open_many(uow, [(revised, self._fan_outs.renewed(uow, revised))])
        return revised

    def delete(self, uow: UnitOfWork, key: ObjectKey, precondition: Precondition = UNCONDITIONAL) -> None:
        """Delete an object (rest-api 3.9). Raises NotFound, PreconditionFailed, and InvalidRequest for a received one on an edge.

        A second delete keeps delivering the first one's news.
        """
        uow.nodes.lock_org_shared({key.org})
        current = uow.objects.find(key, lock=True)
        if current is None:
            raise NotFound
        precondition.check(object_validator(current))
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
        show(uow, replace(current, meta=meta, status=ObjectStatus.DELETED, payload=None))
        # Every destination has something due; the organization's topic reaches them all without naming each.
        uow.wake(wakeups.org_topic(key.org))

    def _unknown_destinations(self, uow: UnitOfWork, commands: Sequence[PutObject]) -> set[NodeKey]:
        """Nodes and groups that are named and do not exist; a group as the node GROUP_TYPE:name."""
        groups = {
            NodeKey(command.key.org, GROUP_TYPE, command.meta.destination_id)
            for command in commands
            if self._local.audience(command.meta).kind is AudienceKind.GROUP
        }
        missing = {group for group in groups if uow.groups.find(group.org, group.id) is None}
        return missing | self._unknown_nodes(uow, commands)

    def _unknown_nodes(self, uow: UnitOfWork, commands: Sequence[PutObject]) -> set[NodeKey]:
        named = {
            node
            for command in commands
            if command.meta.destinations_list
            for node in self._local.audience(command.meta).nodes
        }
        return named - uow.nodes.existing(sorted(named)) if named else set()

    def _save(self, uow: UnitOfWork, before: dict[ObjectKey, SyncObject], revision: Revision) -> None:
        now_ms = self._now_ms()
        objects = list(revision.changed.values())
        small = [(o.payload.name, revision.data[o.key]) for o in objects if o.payload and o.key in revision.data]
        if small:
            uow.payloads.save_small_many(small)
        uow.objects.save_many(objects)
        self._discard_replaced(uow, before, revision.changed, now_ms)

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

    @staticmethod
    def _expect(uow: UnitOfWork, changed: Iterable[SyncObject]) -> None:
        """What is to happen to an object at its time may now be the next thing to happen."""
        if any(item.meta.expiration or item.meta.activation_time for item in changed):
            uow.wake(wakeups.TIMETABLE)

    def _delete_received(self, uow: UnitOfWork, current: SyncObject) -> None:
        if not self._local.is_cloud:
            raise InvalidRequest("This object came from the cloud; applications consume it, only its owner deletes it.")
        remove_copy(uow, current, self._now_ms())
