"""An object's data as it can be read."""

from __future__ import annotations

from dataclasses import dataclass

from common.domain.errors import NotFound
from common.domain.objects import READABLE, SyncObject
from common.sync.ports import UnitOfWork


@dataclass(frozen=True, slots=True)
class ReadableData:
    """The data as of one moment; `small` holds the bytes when they live in the database."""

    name: str
    size: int
    digest: str
    small: bytes | None


def readable_data(uow: UnitOfWork, item: SyncObject) -> ReadableData:
    """The data of the version that applications see. Raises NotFound when there is none to read."""
    payload = item.payload
    if payload is None or item.status not in READABLE:
        raise NotFound
    small = None
    if payload.is_small:
        small = uow.payloads.read_small(payload.name) if payload.size else b""
    return ReadableData(payload.name, payload.size, payload.digest, small)
