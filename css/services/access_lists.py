"""The cloud's use cases about access lists."""

from __future__ import annotations

from collections.abc import Sequence

from common.domain.access_lists import AccessEntry, AccessRole, ListKind, UserType
from common.domain.errors import InvalidRequest
from common.domain.names import MAX_NAME_BYTES
from common.sync.access_lists import AccessList
from common.sync.ports import UnitOfWork

_ROLES = {
    ListKind.OBJECTS: frozenset({AccessRole.WRITER, AccessRole.READER}),
    ListKind.DESTINATIONS: frozenset({AccessRole.NOT_APPLICABLE}),
}


def add_entries(uow: UnitOfWork, where: AccessList, entries: Sequence[AccessEntry]) -> None:
    """Put users on a list, or give those who are on it another role. Raises InvalidRequest, and then changes nothing."""
    for entry in entries:
        check_username(entry.username)
        if entry.role not in _ROLES[where.kind]:
            raise InvalidRequest(f"ACLRole has to be one of: {', '.join(sorted(_ROLES[where.kind]))}.")
    uow.access_lists.add(where, entries)


def remove_entries(uow: UnitOfWork, where: AccessList, users: Sequence[tuple[UserType, str]]) -> None:
    """Take users off a list; those who are not on it are fine. Raises InvalidRequest."""
    for _, username in users:
        check_username(username)
    uow.access_lists.remove(where, users)


def check_username(username: str) -> None:
    """Whatever credentials may hold, but something (rest-api 3.19). Raises InvalidRequest."""
    if not username.strip() or "\0" in username:
        raise InvalidRequest("Username must not be blank.")
    if len(username.encode()) > MAX_NAME_BYTES:
        raise InvalidRequest(f"Username is longer than {MAX_NAME_BYTES} bytes.")
