"""The rules of accounts: what they may be, and who may have them made, changed and ended."""

from __future__ import annotations

from common.domain.errors import InvalidRequest
from common.domain.names import MAX_NAME_BYTES, is_valid_name, is_valid_segment
from common.domain.principals import Principal, Role

_IDENTITY_FORMS = {Role.EDGE_NODE: ("type", "id"), Role.SERVICE: ("serviceOrg", "version", "name")}


def may_manage(principal: Principal, role: Role, org: str) -> bool:
    """May the caller have accounts of this role in this organization? Nobody gives away more than he has himself."""
    if principal.role is Role.SYNC_ADMIN:
        return True
    return principal.role is Role.ADMIN and role is not Role.SYNC_ADMIN and bool(org) and principal.org == org


def may_see(principal: Principal, org: str) -> bool:
    """May the caller list the accounts of this organization? Those of no organization are for sync admins."""
    return may_manage(principal, Role.USER, org)


def check_account(app_key: str, role: Role, org: str, identity: str) -> None:
    """Raises InvalidRequest for what cannot be an account."""
    if not app_key or ":" in app_key or not app_key.isprintable() or len(app_key.encode()) > MAX_NAME_BYTES:
        raise InvalidRequest(f"An application key is printable text of up to {MAX_NAME_BYTES} bytes without a colon.")
    if role is Role.SYNC_ADMIN:
        if org:
            raise InvalidRequest("A sync admin belongs to no organization.")
    elif not is_valid_name(org):
        raise InvalidRequest("The organization is missing, or contains characters that are not allowed.")
    if not is_identity(role, identity):
        form = "/".join(_IDENTITY_FORMS.get(role, ("a user name",)))
        raise InvalidRequest(f"The identity of role {role.value} has to be {form}.")


def is_identity(role: Role, identity: str) -> bool:
    """Can somebody of this role be called that?"""
    parts = identity.split("/")
    return len(parts) == len(_IDENTITY_FORMS.get(role, ("",))) and all(map(is_valid_segment, parts))


def name_in(app_key: str, org: str) -> str:
    """What an account is called that is given no name: its key without the organization."""
    name = app_key.removeprefix(f"{org}/")
    return name if name != app_key else name.removesuffix(f"@{org}")


def is_own_key(app_key: str, org: str) -> bool:
    """Does the key say whose it is: `org/…`, or `…@org`?

    Keys are the same for everybody. Administrators of an organization choose among those that can be nobody else's, so
    they neither take what others need nor learn what others have.
    """
    first, slash, _ = app_key.partition("/")
    return first == org if slash else app_key.rpartition("@")[2] == org and "@" in app_key
