"""Access lists of an organization: who may read and write objects of a type, who may address nodes of a type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from common.domain.metadata import Metadata

#: The key of the list that covers every type of the organization.
ORG_WIDE = "*"

#: A user name that stands for everybody of the organization.
EVERYBODY = "*"


class ListKind(StrEnum):
    OBJECTS = "objects"
    DESTINATIONS = "destinations"


class UserType(StrEnum):
    """`ACLUserType` on the wire."""

    USER = "user"
    NODE = "node"


class AccessRole(StrEnum):
    """`ACLRole` on the wire."""

    WRITER = "aclWriter"
    READER = "aclReader"
    #: Of every entry of a list of destinations: to be on it is all there is.
    NOT_APPLICABLE = "na"


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """One line of a list; user type and name are its identity."""

    user_type: UserType
    username: str
    role: AccessRole


@dataclass(frozen=True, slots=True)
class Grantee:
    """A caller as access lists know him: entries of this organization with his name or EVERYBODY are about him."""

    org: str
    user_type: UserType
    username: str


@dataclass(frozen=True, slots=True)
class Grants:
    """What the lists say about one caller: by key, the roles of all entries that are about him. Absent keys: none is."""

    objects: Mapping[str, frozenset[AccessRole]] = field(default_factory=dict)
    destinations: frozenset[str] = frozenset()

    def may_write(self, object_type: str) -> bool:
        """The list of the type decides if it is about the caller at all, otherwise the organization-wide one. In the list
        that decides, a single reader entry denies, whatever the order and however many others say writer.
        """
        roles = self.objects.get(object_type) or self.objects.get(ORG_WIDE) or frozenset()
        return roles == {AccessRole.WRITER}

    def may_address(self, meta: Metadata) -> bool:
        """A policy addresses nobody by itself, so it needs no list; a broadcast needs the organization-wide one."""
        if ORG_WIDE in self.destinations or meta.destination_policy is not None:
            return True
        addressed = addressed_types(meta)
        return bool(addressed) and addressed <= self.destinations


NO_GRANTS = Grants()


def addressed_types(meta: Metadata) -> frozenset[str]:
    """The destination types that an object names; empty for a broadcast."""
    types = {destination.partition(":")[0] for destination in meta.destinations_list or ()}
    return frozenset(types | {meta.destination_type}) - {""}
