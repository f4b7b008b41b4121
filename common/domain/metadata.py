"""The metadata of an object: the 32 members of the reference's model, under their names in Python.

`msgspec.Struct` is the value type: immutable, compared by value, and one declaration holds both spellings
(docs/adr/0002). Members are in the order in which they are written.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec

#: `consumers` of an object that any number of applications may consume (rest-api 3.8).
UNLIMITED_CONSUMERS = 2_147_483_647

DEFAULT_CHUNK_BYTES = 5_242_880

#: Every number of the model: what peers and databases can hold.
Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class PolicyProperty(msgspec.Struct, frozen=True):
    name: str = ""
    value: Any = None
    type: str = ""


class ServiceId(msgspec.Struct, frozen=True, rename={"org_id": "orgID", "service_name": "serviceName"}):
    org_id: str = ""
    arch: str = ""
    service_name: str = ""
    version: str = ""


class Policy(msgspec.Struct, frozen=True):
    """What an outside engine reads to place the object; never evaluated here (rest-api 4.2)."""

    properties: list[PolicyProperty] | None = None
    constraints: list[str] | None = None
    services: list[ServiceId] | None = None
    timestamp: Int64 = 0


WIRE_NAMES = {
    "object_id": "objectID",
    "object_type": "objectType",
    "destination_org_id": "destinationOrgID",
    "destination_id": "destinationID",
    "destination_type": "destinationType",
    "destinations_list": "destinationsList",
    "destination_policy": "destinationPolicy",
    "activation_time": "activationTime",
    "no_data": "noData",
    "meta_only": "metaOnly",
    "destination_data_uri": "destinationDataUri",
    "source_data_uri": "sourceDataUri",
    "origin_id": "originID",
    "origin_type": "originType",
    "instance_id": "instanceID",
    "data_id": "dataID",
    "object_size": "objectSize",
    "chunk_size": "chunkSize",
    "upload_chunk_size": "uploadChunkSize",
    "hash_algorithm": "hashAlgorithm",
    "public_key": "publicKey",
    "owner_id": "ownerID",
}


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename=WIRE_NAMES):
    """rest-api 4.1. Times are RFC 3339 text, sizes bytes, ids 64-bit integers above 2**53."""

    object_id: str = ""
    object_type: str = ""
    destination_org_id: str = ""
    destination_id: str = ""
    destination_type: str = ""
    destinations_list: list[str] | None = None
    destination_policy: Policy | None = None
    expiration: str = ""
    version: str = ""
    description: str = ""
    link: str = ""
    inactive: bool = False
    activation_time: str = ""
    no_data: bool = False
    meta_only: bool = False
    destination_data_uri: str = ""
    source_data_uri: str = ""
    consumers: Int64 = 1
    autodelete: bool = False
    origin_id: str = ""
    origin_type: str = ""
    deleted: bool = False
    instance_id: Int64 = 0
    data_id: Int64 = 0
    object_size: Int64 = 0
    chunk_size: Int64 = DEFAULT_CHUNK_BYTES
    upload_chunk_size: Int64 = 0
    hash_algorithm: str = ""
    public_key: str = ""
    signature: str = ""
    public: bool = False
    owner_id: str = ""

    @property
    def carries_data(self) -> bool:
        """Does this object have bytes that travel between nodes?"""
        return not self.no_data and not self.link

    @property
    def is_signed(self) -> bool:
        """Data is verified only when all three are set (rest-api 4.1)."""
        return bool(self.hash_algorithm and self.public_key and self.signature)
