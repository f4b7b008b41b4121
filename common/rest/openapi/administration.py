"""Who may call, and who changed what (docs/accounts.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from common.rest.accounts import AccountRequest
from common.rest.openapi.model import DONE, Operation, Parameter, json_answer, json_body, query
from common.rest.openapi.objects import ORG
from common.rest.openapi.paging import PAGE, link

ACCOUNTS = "Accounts"
AUDIT = "Audit log"

_KEY = query("key", "The application key.", example="myorg/app")


class ShownAccount(
    msgspec.Struct,
    rename={
        "org": "orgID",
        "created_at": "createdAt",
        "rotated_at": "rotatedAt",
        "previous_secret_until": "previousSecretUntil",
        "expires_at": "expiresAt",
        "revoked_at": "revokedAt",
    },
):
    """An account, without its secret."""

    key: str
    role: str
    org: str
    identity: str
    created_at: str
    rotated_at: str | None
    previous_secret_until: str | None
    expires_at: str | None
    revoked_at: str | None


class ChangedAccount(ShownAccount, kw_only=True):
    """The account as it is now. The secret is shown this once, where it was made."""

    secret: str | msgspec.UnsetType = msgspec.UNSET


class AuditRecord(msgspec.Struct):
    """Who did what, or was refused it."""

    at: str
    principal: str
    address: str
    action: str
    target: str
    outcome: Literal["done", "refused"]


def account_operations(*, is_cloud: bool) -> Iterator[Operation]:
    """On a cloud of each organization, and of none."""
    yield from _accounts(
        "/api/v1/accounts", "OfService" if is_cloud else "", (), role="syncadmin" if is_cloud else "user"
    )
    if is_cloud:
        yield from _accounts("/api/v1/accounts/{org}", "", (ORG,), role="user")


def audit_operations(*, is_cloud: bool) -> Iterator[Operation]:
    yield _log("/api/v1/audit", "getAuditLogOfService" if is_cloud else "getAuditLog", ())
    if is_cloud:
        yield _log("/api/v1/audit/{org}", "getAuditLog", (ORG,))


def _accounts(path: str, suffix: str, org: tuple[Parameter, ...], *, role: str) -> Iterator[Operation]:
    whose = "that belong to no organization" if suffix else "of the organization"
    example = {"action": "create", "role": role, "expires": "2099-01-01T00:00:00Z"}
    yield Operation(
        "get",
        path,
        f"listAccounts{suffix}",
        ACCOUNTS,
        f"The accounts {whose}",
        (link(json_answer(list[ShownAccount], "Possibly none; with `key` that one alone.")),),
        "By role and key. Secrets are not stored and cannot be shown.",
        (*org, _KEY, *PAGE),
        refusals=(404,),
    )
    yield Operation(
        "post",
        path,
        f"changeAccount{suffix}",
        ACCOUNTS,
        "Create an account, give it another secret, or revoke it",
        (json_answer(ChangedAccount, "As it is now; with `secret` where one was made."),),
        "A secret is shown this once. What is revoked is refused on every replica within a second, also on streams and "
        "waiting requests that are open.",
        org,
        json_body(AccountRequest, example),
        refusals=(404, 409, 413),
    )
    yield Operation(
        "delete",
        path,
        f"removeAccount{suffix}",
        ACCOUNTS,
        "Remove an account; its key is free again",
        (DONE,),
        parameters=(*org, _KEY),
        refusals=(404,),
    )


def _log(path: str, operation_id: str, org: tuple[Parameter, ...]) -> Operation:
    return Operation(
        "get",
        path,
        operation_id,
        AUDIT,
        "Who changed what, the latest first",
        (link(json_answer(list[AuditRecord], "Possibly none.")),),
        "Administrative changes, and refused attempts of known callers.",
        (*org, *PAGE),
    )
