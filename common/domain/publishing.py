"""What an application may publish: the checks of rest-api 3.8, and the members the node fills in itself."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import msgspec

from common.domain.addressing import GROUP_TYPE, Audience, AudienceKind, audience_of, parse_destination
from common.domain.data_uris import path_of
from common.domain.errors import InvalidRequest
from common.domain.ids import CLOUD, ObjectKey, cloud_of
from common.domain.instants import parse_instant_ms
from common.domain.metadata import Metadata, Policy
from common.domain.names import is_valid_description, is_valid_name
from common.domain.versions import parse_range

_HASH_ALGORITHMS = frozenset({"", "SHA1", "SHA256"})


@dataclass(frozen=True, slots=True)
class LocalNode:
    """Which node this is. The cloud serves every organization, an edge belongs to one."""

    type: str = CLOUD
    id: str = CLOUD
    #: Empty on the cloud.
    org: str = ""

    @property
    def is_cloud(self) -> bool:
        return self.type == CLOUD

    def audience(self, meta: Metadata) -> Audience:
        """Whom an object published here is for. Whatever it says, an edge's objects go to the cloud (rest-api 4.1)."""
        if self.is_cloud:
            return audience_of(meta)
        return Audience(meta.destination_org_id, AudienceKind.NODE, *cloud_of("")[1:])


def completed(meta: Metadata, key: ObjectKey, local: LocalNode, owner: str, chunk_bytes: int, now_ms: int) -> Metadata:
    """`meta` with the members that are the node's to set. The organization is the one of the key, never the body's.

    The origin is always this node: letting an application name another one would let it forge where answers go
    (rest-api 7.2). `owner` is `org/user` of the caller; on an edge the application's own text stands.
    """
    policy = meta.destination_policy
    return msgspec.structs.replace(
        meta,
        destination_org_id=key.org,
        destination_policy=policy and msgspec.structs.replace(policy, timestamp=now_ms * 1_000_000),
        origin_type=local.type,
        origin_id=local.id,
        owner_id=owner if local.is_cloud else meta.owner_id,
        chunk_size=chunk_bytes,
        instance_id=0,
        deleted=False,
    )


def check_publishable(meta: Metadata, key: ObjectKey, local: LocalNode, *, has_data: bool, now_ms: int) -> None:
    """Raises InvalidRequest for the first rule `meta` breaks, in the order of rest-api 3.8 (checks 3 to 20)."""
    _check_identity(meta, key)
    _check(meta.hash_algorithm in _HASH_ALGORITHMS, "hashAlgorithm has to be empty, SHA1 or SHA256.")
    for name, text in (("publicKey", meta.public_key), ("signature", meta.signature)):
        _check(_is_base64(text), f"{name} is not valid base64.")
    if meta.expiration:
        _check(local.is_cloud, "expiration can be set on the cloud only.")
        _check(parse_instant_ms(meta.expiration) >= now_ms, "expiration is in the past.")
    _check(not meta.version or is_valid_name(meta.version), "version contains characters that are not allowed.")
    _check(is_valid_description(meta.description), "description must not contain a tag such as <b>.")
    _check(not (meta.meta_only and has_data), "metaOnly says that no data comes along, but there is data.")
    _check_addressing(meta, key.org, local)
    _check(
        not meta.autodelete or meta.destinations_list is not None or bool(meta.destination_id),
        "autodelete needs a destinationsList or a destinationID.",
    )
    if meta.inactive and meta.activation_time:
        _check(parse_instant_ms(meta.activation_time) >= now_ms, "activationTime is in the past.")
    _check(not meta.deleted, "deleted must not be set; use DELETE.")
    _check_data_uris(meta, local, has_data)
    _check_origin(meta)
    _check(has_data or (meta.object_size >= 0 and meta.data_id >= 0), "objectSize and dataID must not be negative.")


def _check_identity(meta: Metadata, key: ObjectKey) -> None:
    _check(meta.object_id == key.id, "objectID is missing or differs from the path.")
    _check(meta.object_type == key.type, "objectType is missing or differs from the path.")
    org = meta.destination_org_id
    _check(org in ("", key.org), "destinationOrgID differs from the organization of the path.")


def _check_addressing(meta: Metadata, org: str, local: LocalNode) -> None:
    _check(not meta.destination_id or bool(meta.destination_type), "destinationID needs a destinationType.")
    _check("\0" not in meta.destination_id, "destinationID contains a character that is not allowed.")
    if meta.destinations_list is not None:
        _check(local.is_cloud, "destinationsList can be used on the cloud only.")
        _check(not meta.destination_type, "destinationsList and destinationType exclude each other.")
        is_of_nodes = all(parse_destination(org, text).type != GROUP_TYPE for text in meta.destinations_list)
        _check(
            is_of_nodes, f"destinationsList names nodes; an object for a group has the destinationType {GROUP_TYPE}."
        )
    is_for_all_groups = meta.destination_type == GROUP_TYPE and not meta.destination_id
    _check(not is_for_all_groups, f"The destinationType {GROUP_TYPE} needs the name of the group as destinationID.")
    if meta.destination_policy is not None:
        is_alone = not meta.destination_type and meta.destinations_list is None
        _check(is_alone, "destinationPolicy excludes destinationType and destinationsList.")
        _check_policy(meta.destination_policy)
    _check(
        not meta.destination_type or is_valid_name(meta.destination_type),
        "destinationType contains characters that are not allowed.",
    )


def _check_policy(policy: Policy) -> None:
    for each in policy.properties or ():
        _check(bool(each.name), "A policy property needs a name.")
    for service in policy.services or ():
        is_complete = bool(service.org_id and service.arch and service.service_name and service.version)
        _check(is_complete, "A policy service needs orgID, arch, serviceName and version.")
        parse_range(service.version)


def _check_data_uris(meta: Metadata, local: LocalNode, has_data: bool) -> None:
    if meta.destination_data_uri:
        _check(local.is_cloud, "destinationDataUri can be set on the cloud only.")
        path_of(meta.destination_data_uri, "destinationDataUri")
    if meta.source_data_uri:
        _check(not local.is_cloud, "sourceDataUri can be set on an edge only.")
        _check(not has_data, "sourceDataUri and data exclude each other.")
        path_of(meta.source_data_uri, "sourceDataUri")


def _check_origin(meta: Metadata) -> None:
    if meta.origin_type and meta.origin_id:
        _check(is_valid_name(meta.origin_type), "originType contains characters that are not allowed.")
        _check(is_valid_name(meta.origin_id), "originID contains characters that are not allowed.")


def _check(is_fine: bool, message: str) -> None:
    if not is_fine:
        raise InvalidRequest(message)


def _is_base64(text: str) -> bool:
    if not text:
        return True
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
