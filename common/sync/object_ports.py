"""What the use cases ask of stored objects, their data and uploads of it. Naming and locks as in `ports`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from common.domain.ids import ObjectKey
from common.domain.objects import Payload, SyncObject
from common.sync.records import Upload


class ObjectStore(Protocol):
    """The objects of this node, one row per key: the version an application sees."""

    def find(self, key: ObjectKey, *, lock: bool = False) -> SyncObject | None: ...

    def get(self, key: ObjectKey) -> SyncObject:
        """Raises NotFound."""
        ...

    def find_many(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, SyncObject]:
        """Those of `keys` that exist, locked; locks are taken in key order, so that two callers never wait for each other."""
        ...

    def save_many(self, objects: Sequence[SyncObject]) -> None:
        """Insert or replace. The keys are distinct."""
        ...

    def remove(self, key: ObjectKey) -> None: ...

    def list_consumed_by_destination(self, keep: int, limit: int) -> list[ObjectKey]:
        """Own objects in `consumedByDest` beyond the `keep` newest, newest first."""
        ...

    def list_expired(self, now_ms: int, limit: int) -> list[ObjectKey]:
        """Own objects in one of `SENDING` whose expiration has come, earliest first."""
        ...

    def list_to_activate(self, now_ms: int, limit: int) -> list[ObjectKey]:
        """Own inactive objects in one of `SENDING` whose activation time has come, earliest first."""
        ...

    def next_expiration_at(self) -> int | None:
        """When the first of what `list_expired` will list expires, in ms since 1970."""
        ...

    def next_activation_at(self) -> int | None: ...

    def count_own(self) -> int:
        """Objects created here and not deleted, of all organizations (rest-api 3.21)."""
        ...


class PayloadIndex(Protocol):
    """Small payloads, which live in the database, and the names of payloads nobody refers to any more."""

    def save_small_many(self, payloads: Sequence[tuple[str, bytes]]) -> None: ...

    def read_small(self, name: str) -> bytes:
        """Raises NotFound."""
        ...

    def discard_many(self, payloads: Sequence[Payload | str], now_ms: int) -> None:
        """No row refers to these any more: small ones go now, the others are remembered for `list_discarded`."""
        ...

    def list_discarded(self, before_ms: int, limit: int) -> list[str]: ...

    def forget_discarded(self, names: Sequence[str]) -> None: ...

    def referenced(self, names: Sequence[str]) -> set[str]:
        """Which of these payload names an object, an upload or a reception still refers to."""
        ...


class UploadStore(Protocol):
    """Uploads of applications that come in pieces."""

    def find(self, key: ObjectKey, *, lock: bool = False) -> Upload | None: ...

    def save(self, upload: Upload) -> None: ...

    def list_stale(self, before_ms: int, limit: int) -> list[Upload]:
        """Uploads last updated before that time, oldest first."""
        ...

    def remove(self, key: ObjectKey) -> None: ...
