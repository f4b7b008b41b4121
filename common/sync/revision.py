"""What the commands of one batch make of the objects they find."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from common.domain import objects as domain
from common.domain.errors import InvalidRequest, SyncError
from common.domain.ids import NodeKey, ObjectKey
from common.domain.metadata import Metadata
from common.domain.objects import Payload, SyncObject
from common.domain.preconditions import UNCONDITIONAL, Precondition, object_validator
from common.domain.signing import Verdict
from common.sync.payload_names import payload_name
from common.sync.quotas import Room


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
    #: Whether the data has the signature that `meta` declares, if it declares one.
    verdict: Verdict | None = None
    #: Of the metadata that is replaced.
    precondition: Precondition = UNCONDITIONAL


class Revision:
    """The objects of one batch as its commands change them, one after the other."""

    def __init__(self, stored: dict[ObjectKey, SyncObject], room: Room) -> None:
        """`room` is what their organizations may still add."""
        self._current = stored
        self._room = room
        self.changed: dict[ObjectKey, SyncObject] = {}
        #: Bytes of small payloads by object.
        self.data: dict[ObjectKey, bytes] = {}

    def apply(self, command: PutObject, instance: int, unknown: set[NodeKey]) -> SyncObject | SyncError:
        try:
            self._check_destinations(command, unknown)
            payload = command.payload or _small_payload(command, instance)
            current = self._current.get(command.key)
            revised = domain.revise(current, command.key, command.meta, payload, instance, command.verdict)
            command.precondition.check(object_validator(current))
            self._room.take_object(current, revised)
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
        if NodeKey(command.key.org, command.meta.destination_type, command.meta.destination_id) in unknown:
            raise InvalidRequest(f"There is no group {command.meta.destination_id}.")
        if unknown and command.meta.destinations_list:
            for text in command.meta.destinations_list:
                if NodeKey(command.key.org, *text.split(":")) in unknown:
                    raise InvalidRequest(f"The destination {text} is not registered.")


def _small_payload(command: PutObject, instance: int) -> Payload | None:
    if command.data is None:
        return None
    digest = command.digest or hashlib.sha256(command.data).hexdigest()
    return Payload(payload_name(command.key, str(instance)), len(command.data), digest, is_small=True)
