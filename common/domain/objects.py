"""An object as one node holds it, and how a new version of it comes about on the node that owns it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from common.domain.errors import InvalidRequest
from common.domain.ids import ObjectKey
from common.domain.metadata import UNLIMITED_CONSUMERS, Metadata, ServiceId
from common.domain.signing import Verdict, is_acceptable


class ObjectStatus(StrEnum):
    """The public words of `GET …/status` (rest-api 5.1), odd capitals included: clients compare them literally."""

    NOT_READY = "notReady"
    READY = "ready"
    VERIFYING = "verifying"
    VERIFICATION_FAILED = "verificationFailed"
    CONSUMED_BY_DESTINATION = "consumedByDest"
    PARTIALLY_RECEIVED = "partiallyreceived"
    RECEIVER_VERIFYING = "receiverVerifying"
    RECEIVER_VERIFICATION_FAILED = "receiverVerificationFailed"
    COMPLETELY_RECEIVED = "completelyReceived"
    RECEIVED = "objreceived"
    CONSUMED = "objconsumed"
    DELETED = "objdeleted"


#: An owner may revise an object in these (rest-api 3.8 check 21; `consumedByDest` is the FIX of 5.2).
REVISABLE = frozenset(
    {
        ObjectStatus.NOT_READY,
        ObjectStatus.READY,
        ObjectStatus.VERIFYING,
        ObjectStatus.VERIFICATION_FAILED,
        ObjectStatus.CONSUMED_BY_DESTINATION,
    }
)

#: An inactive object can be activated in these (rest-api 3.15), and expires in them (rest-api 5.7).
SENDING = REVISABLE - {ObjectStatus.CONSUMED_BY_DESTINATION}

#: Data may be read in these (rest-api 3.10).
READABLE = frozenset(
    {
        ObjectStatus.READY,
        ObjectStatus.COMPLETELY_RECEIVED,
        ObjectStatus.RECEIVED,
        ObjectStatus.CONSUMED,
    }
)

#: What the polling call lists (rest-api 3.4), plus RECEIVED when asked for.
LISTED_AS_UPDATED = frozenset({ObjectStatus.COMPLETELY_RECEIVED, ObjectStatus.DELETED})


class Payload(msgspec.Struct, frozen=True):
    """The stored bytes of one data version: where they are, how many, and their SHA-256 in hex."""

    name: str
    size: int
    digest: str
    #: True when the bytes live in the database row itself.
    is_small: bool


@dataclass(frozen=True, slots=True)
class SyncObject:
    """One object on one node: the version an application sees."""

    key: ObjectKey
    meta: Metadata
    status: ObjectStatus
    #: Created here. False for a copy received from another node.
    is_own: bool
    payload: Payload | None = None
    remaining_receivers: int = 1
    remaining_consumers: int = 1
    #: A policy engine has seen the present policy (rest-api 3.15 `policyreceived`).
    is_policy_received: bool = False
    #: Destinations were changed by hand since the metadata said who they are (rest-api 3.14).
    is_placed: bool = False
    #: Services of an earlier policy that have not confirmed yet that the present one does not name them (rest-api 2.2).
    dropped_services: tuple[ServiceId, ...] = ()
    #: Orders what the applications of this node are shown: larger means shown later. 0 for everything else.
    change: int = 0

    @property
    def instance(self) -> int:
        return self.meta.instance_id

    @property
    def is_deliverable(self) -> bool:
        """May be sent to destinations now."""
        return self.status is ObjectStatus.READY and not self.meta.inactive

    def with_counters_restarted(self) -> SyncObject:
        count = self.meta.consumers
        return replace(self, remaining_receivers=count, remaining_consumers=count)


def counted_down(remaining: int) -> int:
    """One application fewer to wait for. A negative count never gets to 0 (rest-api 3.15) and stays as it is."""
    return remaining - 1 if remaining > 0 else remaining


def effective_consumers(declared: int) -> int:
    """0 or absent means 1, -1 means any number (rest-api 3.8)."""
    return {0: 1, -1: UNLIMITED_CONSUMERS}.get(declared, declared)


def revise(
    current: SyncObject | None,
    key: ObjectKey,
    meta: Metadata,
    payload: Payload | None,
    instance: int,
    verdict: Verdict | None = None,
) -> SyncObject:
    """The next version of an own object from what the caller PUT (the table "Effects on success" of rest-api 3.8).

    `meta` is validated and carries origin, owner and chunk size already; `payload` describes data that came along, and
    `verdict` says whether it has the signature it is declared to have: without it the object has no data.
    Raises InvalidRequest when the stored object is not ours to change, or a policy would be added or removed.
    """
    if current is not None:
        check_revisable(current, meta)
    meta = msgspec.structs.replace(meta, instance_id=instance, consumers=effective_consumers(meta.consumers))
    if payload is not None and not meta.no_data:
        meta = msgspec.structs.replace(meta, data_id=instance, object_size=payload.size)
        status, payload = _verified(meta, payload, verdict)
    elif meta.no_data:
        status, payload = ObjectStatus.READY, None
        meta = msgspec.structs.replace(meta, link="", source_data_uri="", public_key="", signature="")
    elif meta.link:
        status = ObjectStatus.READY
    elif meta.meta_only and current is not None and current.payload is not None:
        status, payload = ObjectStatus.READY, current.payload
        meta = _keep_data_members(meta, current.meta)
    else:
        status = ObjectStatus.NOT_READY
    return SyncObject(key, meta, status, is_own=True, payload=payload).with_counters_restarted()


def with_data(
    current: SyncObject, payload: Payload, instance: int, upload_chunk_bytes: int = 0, verdict: Verdict | None = None
) -> SyncObject:
    """The next version of an own object after its data was PUT by itself, whole or in pieces (rest-api 3.11).

    Raises InvalidRequest, and OutdatedVerdict when `verdict` is not about the signature the object declares now.
    """
    check_accepts_data(current)
    meta = msgspec.structs.replace(
        current.meta,
        instance_id=instance,
        data_id=instance,
        object_size=payload.size,
        source_data_uri="",
        upload_chunk_size=upload_chunk_bytes or current.meta.upload_chunk_size,
    )
    status, kept = _verified(meta, payload, verdict)
    return replace(current, meta=meta, status=status, payload=kept).with_counters_restarted()


def activated(current: SyncObject) -> SyncObject:
    """The object with nothing holding it back any more, in the same instance (rest-api 5.8).

    Raises InvalidRequest when it is not one of ours to send.
    """
    if not current.is_own:
        raise InvalidRequest("This object was received from another node; only its origin can activate it.")
    if current.status not in SENDING:
        raise InvalidRequest("This object is not waiting to be sent.")
    return replace(current, meta=msgspec.structs.replace(current.meta, inactive=False))


def check_revisable(current: SyncObject, meta: Metadata) -> None:
    """Raises InvalidRequest when `meta` may not replace `current` (rest-api 3.8 checks 21 and 22)."""
    if not current.is_own:
        raise InvalidRequest("This object was received from another node; only its origin can change it.")
    if current.status not in REVISABLE:
        raise InvalidRequest(
            "This object is being deleted; it can be created again once every node has acknowledged that."
        )
    if (current.meta.destination_policy is None) != (meta.destination_policy is None):
        raise InvalidRequest("A destination policy can be neither added to nor removed from an existing object.")


def check_accepts_data(current: SyncObject) -> None:
    """Raises InvalidRequest when data may not be PUT to `current` (rest-api 3.11)."""
    if not current.is_own:
        raise InvalidRequest("This object was received from another node; only its origin can change its data.")
    if current.status not in REVISABLE:
        raise InvalidRequest("This object is being deleted; it takes no data.")
    if current.meta.no_data:
        raise InvalidRequest("This object is declared as having no data (noData).")


def _verified(meta: Metadata, payload: Payload, verdict: Verdict | None) -> tuple[ObjectStatus, Payload | None]:
    """What new data makes of its object. Raises OutdatedVerdict."""
    if is_acceptable(meta, verdict):
        return ObjectStatus.READY, payload
    return ObjectStatus.VERIFICATION_FAILED, None


def _keep_data_members(meta: Metadata, current: Metadata) -> Metadata:
    return msgspec.structs.replace(
        meta,
        data_id=current.data_id,
        object_size=current.object_size,
        upload_chunk_size=current.upload_chunk_size,
        hash_algorithm=current.hash_algorithm,
        public_key=current.public_key,
        signature=current.signature,
    )
