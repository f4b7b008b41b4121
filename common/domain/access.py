"""What a caller may do: the one place that decides (rest-api 2.2, 2.3).

A decision is made from who asks and whose objects they are, never from what a body or a path alone says (R7). What is
stored about the case, the object and the entries of access lists, comes with the question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from common.domain.access_lists import NO_GRANTS, ORG_WIDE, Grantee, Grants, UserType
from common.domain.errors import Forbidden
from common.domain.ids import NodeKey
from common.domain.metadata import Metadata
from common.domain.objects import SyncObject
from common.domain.principals import Principal, Role
from common.domain.publishing import LocalNode
from common.domain.services import ServiceName, is_open_to, was_dropped

#: Only an org admin may write objects of this type, and every node account may read them (rest-api 2.1).
MANIFEST_TYPE = "agent_upgrade_manifests"

_ORG_ADMINS = frozenset({Role.ADMIN, Role.OBJECT_ADMIN})
_USER_TYPES = {Role.USER: UserType.USER, Role.NODE_USER: UserType.NODE}


class Operation(Enum):
    """What can be asked for. Those about one object need it, or None if it is not there."""

    #: Anything of the application interface.
    USE_API = auto()
    #: Metadata, status, destinations and data of one object.
    READ_OBJECT = auto()
    #: received, consumed, policyreceived.
    MARK_OBJECT = auto()
    #: deleted: also by a service that the policy has dropped.
    CONFIRM_DELETION = auto()
    #: Create, change, activate, redirect or delete an object with this metadata.
    WRITE_OBJECT = auto()
    REGISTER_WEBHOOK = auto()
    LIST_NODES = auto()
    LIST_ORGANIZATIONS = auto()
    #: The organization itself, its access lists and whatever else only its administrators see.
    ADMINISTER = auto()
    RESEND = auto()
    SHUT_DOWN = auto()
    SET_QUOTAS = auto()


@dataclass(frozen=True, slots=True)
class Question:
    """May `principal` do this in the organization `org`, on the node `local`?"""

    operation: Operation
    principal: Principal
    local: LocalNode
    org: str = ""
    object_type: str = ""
    #: The stored object.
    item: SyncObject | None = None
    #: What an object that is written says, or is stored as; None when that is not known yet or there is none.
    meta: Metadata | None = None
    grants: Grants = NO_GRANTS

    @property
    def is_at_home(self) -> bool:
        """Sync admins belong to every organization."""
        return self.principal.role is Role.SYNC_ADMIN or self.principal.org == self.org


@dataclass(frozen=True, slots=True)
class Visibility:
    """Which objects of one organization a caller is shown in lists: those to which any of the first three applies."""

    #: All of them.
    everything: bool = False
    #: All of these types.
    types: frozenset[str] = frozenset()
    #: Those whose metadata says `public`.
    public: bool = False
    #: Of those, only what the policy opens to this service (`services.is_open_to`), public or not.
    service: ServiceName | None = None

    def covers(self, object_type: str) -> bool:
        """Every object of this type, whatever its metadata says?"""
        return self.everything or object_type in self.types


def check(question: Question) -> None:
    """Raises Forbidden if the answer is no."""
    if not may(question):
        raise Forbidden


def may(question: Question) -> bool:
    """Whether the caller may do what he asks for. Nodes use their own interface for everything."""
    return question.principal.role is not Role.EDGE_NODE and _RULES[question.operation](question)


def visibility(principal: Principal, org: str, local: LocalNode, grants: Grants) -> Visibility:
    """What lists of this organization show. Raises Forbidden for those who are shown nothing, not even public objects."""
    role, is_at_home = principal.role, principal.org == org
    if role is Role.EDGE_NODE:
        raise Forbidden
    if role is Role.SYNC_ADMIN:
        return Visibility(everything=True)
    if not local.is_cloud:
        if not is_at_home:
            raise Forbidden
        return Visibility(everything=True, service=principal.service)
    if role is Role.SERVICE:
        raise Forbidden
    if is_at_home and (role in _ORG_ADMINS or ORG_WIDE in grants.objects):
        return Visibility(everything=True)
    if not is_at_home:
        return Visibility(public=True)
    manifests = {MANIFEST_TYPE} if role is Role.NODE_USER else set()
    return Visibility(types=frozenset(grants.objects) | manifests, public=True)


def grantee(principal: Principal, org: str, local: LocalNode) -> Grantee | None:
    """As whom access lists of this organization know the caller; None when they have no say about him."""
    user_type = _USER_TYPES.get(principal.role)
    if user_type is None or not local.is_cloud or principal.org != org:
        return None
    return Grantee(org, user_type, principal.identity)


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


def _may_see_all(question: Question) -> bool:
    """May see the object even if it is not public; a service has to be one that the policy opens it to."""
    seen = _visibility(question)
    return seen is not None and _is_covered(question, seen)


def _may_read_object(question: Question) -> bool:
    seen = _visibility(question)
    if seen is None:
        return False
    if _is_covered(question, seen):
        return True
    is_shown_public = seen.public or seen.service is not None
    return is_shown_public and question.item is not None and question.item.meta.public


def _may_confirm_deletion(question: Question) -> bool:
    seen, item = _visibility(question), question.item
    if seen is not None and seen.service is not None and item is not None and was_dropped(item, seen.service):
        return True
    return _may_see_all(question)


def _may_write_object(question: Question) -> bool:
    role = question.principal.role
    if role is Role.SYNC_ADMIN:
        return True
    if not question.is_at_home:
        return False
    if not question.local.is_cloud or role is Role.ADMIN:
        return True
    if role is Role.OBJECT_ADMIN:
        return question.object_type != MANIFEST_TYPE
    grants, meta = question.grants, question.meta
    return role in _USER_TYPES and grants.may_write(question.object_type) and (meta is None or grants.may_address(meta))


def _may_register_webhook(question: Question) -> bool:
    role = question.principal.role
    if role is Role.SERVICE or not question.is_at_home:
        return False
    return not question.local.is_cloud or role not in _USER_TYPES or question.grants.may_write(question.object_type)


def _may_administer(question: Question) -> bool:
    return question.principal.role in (Role.ADMIN, Role.SYNC_ADMIN) and question.is_at_home


def _may_resend(question: Question) -> bool:
    """On the cloud, where nothing comes of it, the organization does not matter."""
    is_entitled = question.principal.role in (Role.ADMIN, Role.USER, Role.SYNC_ADMIN)
    return is_entitled and (question.local.is_cloud or question.is_at_home)


def _visibility(question: Question) -> Visibility | None:
    try:
        return visibility(question.principal, question.org, question.local, question.grants)
    except Forbidden:
        return None


def _is_covered(question: Question, seen: Visibility) -> bool:
    """To a service an object that is not there is forbidden, not missing."""
    if seen.service is not None:
        return question.item is not None and is_open_to(question.item.meta, seen.service)
    return seen.covers(question.object_type)


_RULES: Mapping[Operation, Callable[[Question], bool]] = {
    Operation.USE_API: lambda question: True,
    Operation.READ_OBJECT: _may_read_object,
    Operation.MARK_OBJECT: _may_see_all,
    Operation.CONFIRM_DELETION: _may_confirm_deletion,
    Operation.WRITE_OBJECT: _may_write_object,
    Operation.REGISTER_WEBHOOK: _may_register_webhook,
    Operation.LIST_NODES: lambda question: question.is_at_home,
    Operation.LIST_ORGANIZATIONS: lambda question: question.principal.role in (Role.ADMIN, Role.SYNC_ADMIN),
    Operation.ADMINISTER: _may_administer,
    Operation.RESEND: _may_resend,
    Operation.SHUT_DOWN: lambda question: question.principal.role is Role.SYNC_ADMIN,
    Operation.SET_QUOTAS: lambda question: question.principal.role is Role.SYNC_ADMIN,
}
