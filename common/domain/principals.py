"""Who is calling."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from common.domain.services import ServiceName


class Role(StrEnum):
    """The classes of callers (rest-api 2.1)."""

    EDGE_NODE = "edgenode"
    ADMIN = "admin"
    OBJECT_ADMIN = "objectadmin"
    USER = "user"
    NODE_USER = "nodeuser"
    SYNC_ADMIN = "syncadmin"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller."""

    role: Role
    #: Empty for a sync admin.
    org: str
    #: User name; `type/id` for an edge node; `serviceOrg/version/name` for a service.
    identity: str

    @property
    def owner(self) -> str:
        """What `ownerID` of an object written by this caller says."""
        return f"{self.org}/{self.identity}"

    @property
    def service(self) -> ServiceName | None:
        """Which service this is; None for every other class. Parts that the identity lacks are empty, and match nothing."""
        if self.role is not Role.SERVICE:
            return None
        org, version, name = [*self.identity.split("/", 2), "", ""][:3]
        return ServiceName(org, name, version)
