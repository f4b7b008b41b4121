"""Bodies that the handlers build member by member, as types."""

from __future__ import annotations

import msgspec

from common.domain.metadata import Metadata, Policy

_NAMES = {
    "org_id": "orgID",
    "object_type": "objectType",
    "object_id": "objectID",
    "destination_org_id": "destinationOrgID",
    "destination_type": "destinationType",
    "destination_id": "destinationID",
    "destination_policy": "destinationPolicy",
    "code_version": "codeVersion",
}


class PutObject(msgspec.Struct):
    """Metadata, and the data if it comes along: base64, `""` for data of 0 bytes, absent or null to send it later."""

    meta: Metadata
    data: str | None = None


class PlannedDelivery(msgspec.Struct, rename=_NAMES):
    """What a publish would mean for one node."""

    destination_type: str
    destination_id: str
    #: send, keep or withdraw.
    action: str
    why: str


class Plan(msgspec.Struct):
    """What a publish would do: the first destinations, how many there are, and the bytes of data that would travel."""

    destinations: list[PlannedDelivery]
    count: int
    bytes: int
    #: Why nothing would be sent; empty when something would.
    reason: str


class Destination(msgspec.Struct, rename=_NAMES):
    """How far an object has come to one node."""

    destination_type: str
    destination_id: str
    #: pending, delivering, delivered, consumed, deleted or error.
    status: str
    #: What the node said about a failure.
    message: str


class ObjectWithPolicy(msgspec.Struct, rename=_NAMES):
    """An object, its policy and where it went."""

    org_id: str
    object_type: str
    object_id: str
    destinations: list[Destination]
    destination_policy: Policy | None = None


class Node(msgspec.Struct, rename=_NAMES):
    """A registered node."""

    destination_org_id: str
    destination_type: str
    destination_id: str
    #: http or mqtt.
    communication: str
    code_version: str


class ObjectOfNode(msgspec.Struct, rename=_NAMES):
    """An object of one node, and how far it has come."""

    org_id: str
    object_type: str
    object_id: str
    status: str


class GeneralHealth(msgspec.Struct, rename="camel"):
    node_type: str
    #: green, yellow or red: the worst of all parts.
    health_status: str
    #: Seconds.
    up_time: int


class DatabaseHealth(
    msgspec.Struct,
    rename={
        "db_status": "dbStatus",
        "is_disconnected": "disconnectedFromDB",
        "read_failures": "dbReadFailures",
        "write_failures": "dbWriteFailures",
    },
):
    db_status: str
    is_disconnected: bool
    read_failures: int
    write_failures: int


class Usage(
    msgspec.Struct,
    rename={"client_requests": "clientRequests", "registered": "registeredESS", "stored_objects": "storedObjects"},
):
    client_requests: int
    registered: int
    stored_objects: int


class Health(msgspec.Struct, rename={"db_health": "dbHealth"}, omit_defaults=True):
    """How the service is. `usage` only with `details=true`."""

    general: GeneralHealth
    db_health: DatabaseHealth
    usage: Usage | msgspec.UnsetType = msgspec.UNSET


class ChangeDestinations(msgspec.Struct):
    """`destinations` are `type:id`, `action` is `add` or `remove`."""

    action: str
    destinations: list[str]
