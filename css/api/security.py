"""`/api/v1/security/…`: access lists (rest-api 3.19)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from common.domain.access_lists import ORG_WIDE, AccessEntry, AccessRole, ListKind, UserType
from common.domain.errors import InvalidRequest
from common.protocol import lenient_json
from common.rest import responses
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.body import read_body
from common.rest.paths import check_names, first, flag, segments_below
from common.rest.transactions import Transactions
from common.sync.access_lists import AccessList
from css.services.access_lists import add_entries, remove_entries

PREFIX = "/api/v1/security"

_KINDS = frozenset(ListKind)
_USER = lenient_json.Shape(dict.fromkeys(("Username", "ACLUserType", "ACLRole")))
_CHANGE = lenient_json.Shape({"action": None, "users": _USER})

E = TypeVar("E", bound=StrEnum)


class SecurityApi:
    """The endpoint."""

    def __init__(self, access: Access, transactions: Transactions, auditor: Auditor, body_bytes: int) -> None:
        self._access = access
        self._transactions = transactions
        self._auditor = auditor
        self._body_bytes = body_bytes

    async def handle(self, request: Request) -> Response:
        """`/{kind}/{org}`: GET; PUT, also with a key behind; DELETE with key, user type and user name behind."""
        principal = await self._access.principal(request)
        match segments_below(request.scope["path"], PREFIX):
            case [kind, org, *rest] if kind in _KINDS:
                check_names(organization=org)
                self._access.check_may_administer(principal, org)
            case _:
                return responses.empty(400)
        match request.method, rest:
            case "GET", [] | [_]:  # the key of a GET is in its query (rest-api 3.19)
                return await self._get(request, org, ListKind(kind))
            case "PUT", [] | [_]:
                return await self._put(request, _list(org, kind, *rest))
            case "DELETE", [key, user_type, username]:
                check_names(username=username)
                who = _word(UserType, user_type, "user type"), username
                await self._remove(request, _list(org, kind, key), [who])
                return responses.done()
            case "GET" | "PUT" | "DELETE", _:
                return responses.empty(400)
            case _:
                return responses.empty(405)

    async def _get(self, request: Request, org: str, kind: ListKind) -> Response:
        query = request.query_params
        if flag(query, "all_keys"):
            return responses.json_or_404(
                await self._transactions.read(lambda uow: uow.access_lists.list_keys(org, kind))
            )
        where = _list(org, kind, first(query, "key") or ORG_WIDE)
        asked = first(query, "acl_usertype")
        user_type = _word(UserType, asked, "acl_usertype") if asked else None
        entries = await self._transactions.read(lambda uow: uow.access_lists.list_entries(where, user_type))
        return responses.json_or_404([_shown(entry) for entry in entries])

    async def _put(self, request: Request, where: AccessList) -> Response:
        body = _CHANGE.fold_object(await read_body(request, self._body_bytes))
        action, users = body.get("action"), body.get("users", [])
        if not isinstance(users, list) or not all(isinstance(user, dict) for user in users):
            raise InvalidRequest("users has to be a list of JSON objects.")
        match action.lower() if isinstance(action, str) else None:
            case "add":
                entries = [_entry_from(user, where.kind) for user in users]
                target = _target(where, [(entry.user_type, entry.username) for entry in entries])
                await self._auditor.change(
                    request, where.org, "access.add", target, lambda uow: add_entries(uow, where, entries)
                )
            case "remove":
                await self._remove(request, where, [_user_from(user) for user in users])
            case _:
                raise InvalidRequest("action has to be add or remove.")
        return responses.done()

    async def _remove(self, request: Request, where: AccessList, users: Sequence[tuple[UserType, str]]) -> None:
        await self._auditor.change(
            request, where.org, "access.remove", _target(where, users), lambda uow: remove_entries(uow, where, users)
        )


def _list(org: str, kind: str, key: str = ORG_WIDE) -> AccessList:
    check_names(key=key)
    return AccessList(org, ListKind(kind), key)


def _target(where: AccessList, users: Sequence[tuple[UserType, str]]) -> str:
    """As the audit log names it."""
    names = ", ".join(f"{user_type.value} {username}" for user_type, username in users)
    return f"{where.kind.value}/{where.key}: {names}"


def _entry_from(user: dict[str, object], kind: ListKind) -> AccessEntry:
    if kind is ListKind.DESTINATIONS:
        return AccessEntry(*_user_from(user), AccessRole.NOT_APPLICABLE)
    return AccessEntry(*_user_from(user), _word(AccessRole, user.get("ACLRole"), "ACLRole"))


def _user_from(user: dict[str, object]) -> tuple[UserType, str]:
    username = user.get("Username", "")
    if not isinstance(username, str):
        raise InvalidRequest("Username has to be a text.")
    return _word(UserType, user.get("ACLUserType"), "ACLUserType"), username


def _word(words: type[E], value: object, what: str) -> E:
    try:
        return words(value if isinstance(value, str) else "")
    except ValueError:
        raise InvalidRequest(f"{what} has to be one of: {', '.join(words)}.") from None


def _shown(entry: AccessEntry) -> dict[str, str]:
    return {"Username": entry.username, "ACLUserType": entry.user_type.value, "ACLRole": entry.role.value}
