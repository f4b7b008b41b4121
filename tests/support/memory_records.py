"""The remaining stores of `common.sync.ports` in memory. Locks need no code: transactions run one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from common.domain.errors import NotFound
from common.domain.ids import NodeKey, ObjectKey
from common.domain.instants import parse_instant_ms
from common.domain.nodes import Node
from common.domain.objects import SENDING, ObjectStatus, Payload, SyncObject
from common.domain.reception import Reception, ReceptionState
from common.domain.retry import OFFER_RETRY
from common.sync.records import Account, Upload
from tests.support.memory_tables import MemoryTables


class MemoryObjectStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._objects = tables.objects

    def find(self, key: ObjectKey, *, lock: bool = False) -> SyncObject | None:
        return self._objects.find(key)

    def get(self, key: ObjectKey) -> SyncObject:
        found = self._objects.find(key)
        if found is None:
            raise NotFound
        return found

    def find_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SyncObject]:
        found = {key: self._objects.find(key) for key in keys}
        return {key: each for key, each in found.items() if each}

    def save_many(self, objects: Sequence[SyncObject]) -> None:
        assert len({each.key for each in objects}) == len(objects)
        for each in objects:
            self._objects.put(each.key, each)

    def remove(self, key: ObjectKey) -> None:
        self._objects.remove(key)

    def list_consumed_by_destination(self, keep: int, limit: int) -> list[ObjectKey]:
        consumed = [o for o in self._objects if o.is_own and o.status is ObjectStatus.CONSUMED_BY_DESTINATION]
        newest_first = sorted(consumed, key=lambda each: each.instance, reverse=True)
        return [each.key for each in newest_first[keep : keep + limit]]

    def list_expired(self, now_ms: int, limit: int) -> list[ObjectKey]:
        due = [(at, key) for at, key in self._expirations() if at <= now_ms]
        return [key for _, key in sorted(due)[:limit]]

    def list_to_activate(self, now_ms: int, limit: int) -> list[ObjectKey]:
        due = [(at, key) for at, key in self._activations() if at <= now_ms]
        return [key for _, key in sorted(due)[:limit]]

    def next_expiration_at(self) -> int | None:
        return min((at for at, _ in self._expirations()), default=None)

    def next_activation_at(self) -> int | None:
        return min((at for at, _ in self._activations()), default=None)

    def _expirations(self) -> list[tuple[int, ObjectKey]]:
        own = [o for o in self._objects if o.is_own and o.status in SENDING and o.meta.expiration]
        return [(parse_instant_ms(o.meta.expiration), o.key) for o in own]

    def _activations(self) -> list[tuple[int, ObjectKey]]:
        sending = [o for o in self._objects if o.is_own and o.status in SENDING]
        return [
            (parse_instant_ms(o.meta.activation_time), o.key)
            for o in sending
            if o.meta.inactive and o.meta.activation_time
        ]

    def count_own(self) -> int:
        return sum(each.is_own and each.status is not ObjectStatus.DELETED for each in self._objects)


class MemoryNodeStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._nodes = tables.nodes

    def find(self, key: NodeKey, *, lock: bool = False) -> Node | None:
        return self._nodes.find(key)

    def save(self, node: Node) -> None:
        self._nodes.put(node.key, node)

    def touch(self, key: NodeKey, now_ms: int) -> None:
        if node := self._nodes.find(key):
            self.save(replace(node, last_seen_at_ms=now_ms))

    def remove(self, key: NodeKey) -> None:
        self._nodes.remove(key)

    def list_of_org(self, org: str) -> list[Node]:
        return sorted((node for node in self._nodes if node.key.org == org), key=lambda node: node.key)

    def page_of_org(self, org: str, *, after: tuple[str, str], limit: int) -> list[Node]:
        return [node for node in self.list_of_org(org) if node.key[1:] > after][:limit]

    def keys_of_org(self, org: str, *, after: tuple[str, str], limit: int) -> list[NodeKey]:
        return [node.key for node in self.list_of_org(org) if node.key[1:] > after][:limit]

    def existing(self, keys: Sequence[NodeKey]) -> set[NodeKey]:
        return {key for key in keys if key in self._nodes}

    def count(self, org: str | None = None, node_type: str | None = None) -> int:
        return sum(
            (org is None or node.key.org == org) and (node_type is None or node.key.type == node_type)
            for node in self._nodes
        )

    def lock_org_shared(self, orgs: Iterable[str]) -> None:
        pass

    def lock_org(self, org: str) -> None:
        pass


class MemoryReceptionStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._receptions = tables.receptions

    def find(self, key: ObjectKey, *, lock: bool = False) -> Reception | None:
        return self._receptions.find(key)

    def save(self, reception: Reception) -> None:
        self._receptions.put(reception.object, reception)

    def remove(self, key: ObjectKey) -> None:
        self._receptions.remove(key)

    def list_fetching(self, limit: int) -> list[Reception]:
        return [each for each in self._by_age() if each.state is ReceptionState.FETCHING][:limit]

    def claim_answers(self, origin: NodeKey | None, now_ms: int, limit: int) -> list[Reception]:
        answers = self._answers(origin)
        return [each for each, due in answers if not now_ms < due <= now_ms + OFFER_RETRY.longest_ms][:limit]

    def requeue_answers(self, origin: NodeKey, now_ms: int) -> None:
        for each, _ in self._answers(origin):
            self.save(replace(each, answer_due_at_ms=now_ms, attempts=0))

    def has_answers(self, origin: NodeKey, now_ms: int) -> bool:
        return bool(self.claim_answers(origin, now_ms, limit=1))

    def next_answer_at(self, origin: NodeKey | None) -> int | None:
        return min((due_at_ms for _, due_at_ms in self._answers(origin)), default=None)

    def prune_finished(self, keep: int) -> int:
        over = (ReceptionState.CONSUMED, ReceptionState.FORGOTTEN)
        done = [each for each in self._by_age() if each.state in over and each.answer is None]
        surplus = done[: max(0, len(done) - keep)]
        for each in surplus:
            self.remove(each.object)
        return len(surplus)

    def _by_age(self) -> list[Reception]:
        """Oldest instance first."""
        return sorted(self._receptions, key=lambda each: each.instance)

    def _answers(self, origin: NodeKey | None) -> list[tuple[Reception, int]]:
        """Owed answers with their due times, oldest due first."""
        answers = [
            (each, each.answer_due_at_ms)
            for each in self._receptions
            if each.answer_due_at_ms is not None and origin in (None, each.origin)
        ]
        return sorted(answers, key=lambda answer: answer[1])


class MemoryPayloadIndex:
    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def save_small_many(self, payloads: Sequence[tuple[str, bytes]]) -> None:
        for name, data in payloads:
            self._tables.small_payloads.put(name, data)

    def read_small(self, name: str) -> bytes:
        data = self._tables.small_payloads.find(name)
        if data is None:
            raise NotFound
        return data

    def discard_many(self, payloads: Sequence[Payload | str], now_ms: int) -> None:
        for payload in payloads:
            if isinstance(payload, Payload) and payload.is_small:
                self._tables.small_payloads.remove(payload.name)
            else:
                name = payload if isinstance(payload, str) else payload.name
                self._tables.discarded.put(name, (name, now_ms))

    def list_discarded(self, before_ms: int, limit: int) -> list[str]:
        return sorted(name for name, at_ms in self._tables.discarded if at_ms < before_ms)[:limit]

    def forget_discarded(self, names: Sequence[str]) -> None:
        for name in names:
            self._tables.discarded.remove(name)

    def referenced(self, names: Sequence[str]) -> set[str]:
        of_objects = {each.payload.name for each in self._tables.objects if each.payload}
        of_uploads = {upload.staged for upload in self._tables.uploads}
        of_receptions = {reception.staged for reception in self._tables.receptions}
        return set(names) & (of_objects | of_uploads | of_receptions)


class MemoryUploadStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._uploads = tables.uploads

    def find(self, key: ObjectKey, *, lock: bool = False) -> Upload | None:
        return self._uploads.find(key)

    def save(self, upload: Upload) -> None:
        self._uploads.put(upload.object, upload)

    def list_stale(self, before_ms: int, limit: int) -> list[Upload]:
        stale = [upload for upload in self._uploads if upload.updated_at_ms < before_ms]
        return sorted(stale, key=lambda upload: upload.updated_at_ms)[:limit]

    def remove(self, key: ObjectKey) -> None:
        self._uploads.remove(key)


class MemoryAccountStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._accounts = tables.accounts

    def find(self, app_key: str, *, lock: bool = False) -> Account | None:
        return self._accounts.find(app_key)

    def add(self, account: Account) -> bool:
        if account.app_key in self._accounts:
            return False
        self._accounts.put(account.app_key, account)
        return True

    def save(self, account: Account) -> None:
        self._accounts.put(account.app_key, account)

    def remove(self, app_key: str) -> bool:
        return self._accounts.remove(app_key)

    def list_all(self) -> list[Account]:
        return sorted(self._accounts, key=lambda account: account.app_key)

    def page_of_org(self, org: str, *, after: tuple[str, str], limit: int) -> list[Account]:
        found = [each for each in self._accounts if each.org == org and _place(each) > _encoded(after)]
        return sorted(found, key=_place)[:limit]

    def is_empty(self) -> bool:
        return not list(self._accounts)


def _place(account: Account) -> tuple[bytes, ...]:
    return _encoded((account.role.value, account.app_key))


def _encoded(after: tuple[str, str]) -> tuple[bytes, ...]:
    return tuple(part.encode() for part in after)


class MemoryCounterStore:
    def __init__(self, tables: MemoryTables) -> None:
        self._counters = tables.counters

    def get(self, name: str) -> int:
        return self._counters.find(name) or 0

    def set(self, name: str, value: int) -> None:
        self._counters.put(name, value)
