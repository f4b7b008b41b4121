"""Who is calling, and what they may do.

One place decides, from the authenticated principal and the effective organization; never from a body (R7). Access lists
come with their own store later: without an entry, users see public objects only and may change nothing on the cloud.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from common.domain.errors import Forbidden
from common.domain.ids import NodeKey
from common.domain.publishing import LocalNode

#: Only an org admin may write objects of this type (rest-api 2.1).
MANIFEST_TYPE = "agent_upgrade_manifests"


class Role(StrEnum):
    """The classes of callers (rest-api 2.1)."""

    EDGE_NODE = "edgenode"
    ADMIN = "admin"
    OBJECT_ADMIN = "objectadmin"
    USER = "user"
    NODE_USER = "nodeuser"
    SYNC_ADMIN = "syncadmin"
    SERVICE = "service"


_ORG_ADMINS = frozenset({Role.ADMIN, Role.OBJECT_ADMIN})


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


def check_may_use_api(principal: Principal) -> None:
    """Edge nodes speak the node interface only. Raises Forbidden."""
    if principal.role is Role.EDGE_NODE:
        raise Forbidden


def sees_all(principal: Principal, org: str, object_type: str, local: LocalNode) -> bool:
    """Every object of this type, or only public ones, of which this version has none (rest-api 2.2)?

    Raises Forbidden for callers to whom not even public objects are shown.
    """
    check_may_use_api(principal)
    if principal.role is Role.SYNC_ADMIN:
        return True
    is_at_home = principal.org == org
    if not local.is_cloud:
        if not is_at_home:
            raise Forbidden
        return True
    if principal.role is Role.SERVICE:
        raise Forbidden
    if principal.role is Role.NODE_USER and object_type == MANIFEST_TYPE:
        return is_at_home
    return is_at_home and principal.role in _ORG_ADMINS


def check_may_read(principal: Principal, org: str, object_type: str, local: LocalNode) -> None:
    """May see every object of this type here. Raises Forbidden."""
    if not sees_all(principal, org, object_type, local):
        raise Forbidden


def check_may_write(principal: Principal, org: str, object_type: str, local: LocalNode) -> None:
    """May create, change or delete objects of this type (rest-api 2.3). Raises Forbidden."""
    check_may_read(principal, org, object_type, local)
    if not local.is_cloud or principal.role is Role.SYNC_ADMIN:
        return
    if principal.role not in _ORG_ADMINS or (principal.role is Role.OBJECT_ADMIN and object_type == MANIFEST_TYPE):
        raise Forbidden


def check_may_list_nodes(principal: Principal, org: str) -> None:
    """Any class but edge nodes, inside its own organization (rest-api 2.3). Raises Forbidden."""
    check_may_use_api(principal)
    if principal.role is not Role.SYNC_ADMIN and principal.org != org:
        raise Forbidden


def check_is_node(principal: Principal, claimed: NodeKey) -> None:
    """May speak as the node the header names (wire-protocol 2.2). Raises Forbidden.

    An org admin may stand in for a node of its own organization, as the reference's clients do.
    """
    if principal.org != claimed.org:
        raise Forbidden
    if principal.role is Role.EDGE_NODE and principal.identity == f"{claimed.type}/{claimed.id}":
        return
    if principal.role is not Role.ADMIN:
        raise Forbidden
