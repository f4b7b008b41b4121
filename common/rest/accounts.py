"""`/api/v1/accounts…`: who may call, managed by administrators (docs/accounts.md).

GET                                                 the accounts, page by page; `?key=` one alone
POST {"action": "create", "key", "role", …}         a new account, with a secret that is shown this once
POST {"action": "rotate", "key", "overlapSeconds"}  another secret
POST {"action": "revoke", "key"}                    the end of an account; its key stays taken
DELETE ?key=                                        gone, and the key is free
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from common.domain import accounts
from common.domain.errors import Forbidden, InvalidRequest, NotFound
from common.domain.instants import format_instant, parse_instant_ms
from common.domain.principals import Principal, Role
from common.domain.publishing import LocalNode
from common.domain.selection import ListPosition
from common.rest import responses
from common.rest.access import Access
from common.rest.auditing import Auditor
from common.rest.body import read_body
from common.rest.pages import Piece, answer_list, empty_list
from common.rest.paths import check_names, first, segments_below
from common.rest.transactions import Transactions
from common.runtime.authentication import secrets
from common.sync.accounts import Accounts
from common.sync.records import Account

PREFIX = "/api/v1/accounts"

_BODY_BYTES = 16 * 1024


class Action(StrEnum):
    """What a POST asks for."""

    CREATE = "create"
    ROTATE = "rotate"
    REVOKE = "revoke"


class AccountRequest(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The body of a POST."""

    action: Action
    key: str = ""
    role: Role | None = None
    identity: str = ""
    expires: str = ""
    secret_hash: str = ""
    overlap_seconds: int = 0

    def __repr__(self) -> str:
        return f"AccountRequest({self.action.value}, {self.key!r})"


_decode = msgspec.json.Decoder(AccountRequest).decode


class AccountsApi:
    """The endpoint. On the cloud `/accounts/{org}`, and `/accounts` for those of no organization; on an edge `/accounts`."""

    def __init__(
        self, local: LocalNode, access: Access, transactions: Transactions, auditor: Auditor, now_ms: Callable[[], int]
    ) -> None:
        self._local = local
        self._access = access
        self._transactions = transactions
        self._auditor = auditor
        self._now_ms = now_ms
        self._accounts = Accounts(now_ms)

    async def handle(self, request: Request) -> Response:
        """Answers by JSON; secrets only where they are made."""
        principal = await self._access.principal(request)
        org = self._org_of(request)
        if not accounts.may_see(principal, org):
            raise Forbidden
        match request.method:
            case "GET":
                key = first(request.query_params, "key")
                return await self._one(org, key) if key else await self._list(request, org)
            case "POST":
                return await self._change(request, principal, org, _asked(await read_body(request, _BODY_BYTES)))
            case "DELETE":
                return await self._remove(request, principal, org, first(request.query_params, "key"))
            case _:
                return responses.empty(405)

    def _org_of(self, request: Request) -> str:
        match segments_below(request.scope["path"], PREFIX), self._local.is_cloud:
            case [], is_cloud:
                return "" if is_cloud else self._local.org
            case [org], True:
                check_names(organization=org)
                return org
            case _:
                raise InvalidRequest("The path has too many parts.")

    async def _one(self, org: str, key: str) -> Response:
        account = await self._transactions.read(lambda uow: uow.accounts.find(key) if _is_storable(key) else None)
        if account is None or account.org != org:
            raise NotFound
        return responses.json_body(msgspec.json.encode([shown(account)]))

    async def _list(self, request: Request, org: str) -> Response:
        async def read(after: ListPosition, limit: int) -> Piece:
            page = await self._transactions.read(lambda uow: uow.accounts.page_of_org(org, after=after, limit=limit))
            end = ListPosition(page[-1].role.value, page[-1].app_key) if len(page) == limit else None
            return Piece([msgspec.json.encode(shown(account)) for account in page], end)

        return await answer_list(request, read, empty_list)

    async def _change(self, request: Request, principal: Principal, org: str, asked: AccountRequest) -> Response:
        match asked.action:
            case Action.CREATE:
                return await self._create(request, principal, org, asked)
            case Action.ROTATE:
                return await self._rotate(request, principal, org, asked)
            case Action.REVOKE:
                key = _checked_key(asked.key)
                account = await self._auditor.change(
                    request, org, "account.revoke", key, lambda uow: self._accounts.revoke(uow, principal, org, key)
                )
                self._access.forget_callers()
                return _answer(account)

    async def _create(self, request: Request, principal: Principal, org: str, asked: AccountRequest) -> Response:
        if asked.role is None:
            raise InvalidRequest("role is missing.")
        if not asked.key:
            asked.key = secrets.generate_key(org)
        elif self._local.is_cloud and principal.role is not Role.SYNC_ADMIN and not accounts.is_own_key(asked.key, org):
            raise InvalidRequest(f"The key has to begin with {org}/ or to end with @{org}.")
        secret, hashed = _secret_of(asked)
        account = Account(
            asked.key,
            asked.role,
            org,
            asked.identity or accounts.name_in(asked.key, org),
            hashed,
            self._now_ms(),
            expires_at_ms=parse_instant_ms(asked.expires) if asked.expires else None,
        )
        await self._auditor.change(
            request,
            org,
            "account.create",
            f"{asked.key} ({asked.role.value})",
            lambda uow: self._accounts.create(uow, principal, account),
        )
        return _answer(account, secret)

    async def _rotate(self, request: Request, principal: Principal, org: str, asked: AccountRequest) -> Response:
        key = _checked_key(asked.key)
        secret, hashed = _secret_of(asked)
        account = await self._auditor.change(
            request,
            org,
            "account.rotate",
            key,
            lambda uow: self._accounts.rotate(uow, principal, org, key, hashed, asked.overlap_seconds),
        )
        self._access.forget_callers()
        return _answer(account, secret)

    async def _remove(self, request: Request, principal: Principal, org: str, key: str) -> Response:
        key = _checked_key(key)
        await self._auditor.change(
            request, org, "account.remove", key, lambda uow: self._accounts.remove(uow, principal, org, key)
        )
        self._access.forget_callers()
        return responses.done()


def shown(account: Account) -> dict[str, object]:
    """Without anything that would help to guess the secret."""
    times = {
        "createdAt": account.created_at_ms,
        "rotatedAt": account.rotated_at_ms,
        "previousSecretUntil": account.previous_until_ms,
        "expiresAt": account.expires_at_ms,
        "revokedAt": account.revoked_at_ms,
    }
    return {
        "key": account.app_key,
        "role": account.role.value,
        "orgID": account.org,
        "identity": account.identity,
        **{name: None if at_ms is None else format_instant(at_ms) for name, at_ms in times.items()},
    }


def _asked(raw: bytes) -> AccountRequest:
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        # What it says names members and types, never values.
        raise InvalidRequest(f"The body is not as docs/accounts.md describes it: {error}.") from None


def _secret_of(asked: AccountRequest) -> tuple[str | None, str]:
    """The secret to show, if it is made here, and its hash."""
    if not asked.secret_hash:
        secret = secrets.generate()
        return secret, secrets.hash_secret(secret)
    if not secrets.is_hash(asked.secret_hash):
        raise InvalidRequest("secretHash has to be written as docs/accounts.md describes it.")
    return None, asked.secret_hash


def _checked_key(key: str) -> str:
    if not key:
        raise InvalidRequest("key is missing.")
    if not _is_storable(key):
        raise NotFound
    return key


def _is_storable(text: str) -> bool:
    return "\0" not in text


def _answer(account: Account, secret: str | None = None) -> Response:
    return responses.json_body(msgspec.json.encode(shown(account) | ({"secret": secret} if secret else {})))
