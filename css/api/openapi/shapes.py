"""Bodies that only the cloud has, as types."""

from __future__ import annotations

from typing import Literal

import msgspec


class AccessListEntry(
    msgspec.Struct, rename={"username": "Username", "user_type": "ACLUserType", "role": "ACLRole"}, omit_defaults=True
):
    """Whom an access list names, and for what. `*` stands for everybody of the organization."""

    username: str
    user_type: Literal["user", "node"]
    #: `na` in lists of destinations.
    role: Literal["aclWriter", "aclReader", "na"] = "na"


class ChangeAccessList(msgspec.Struct):
    """Entries to add, which replaces their role, or to remove."""

    action: str
    users: list[AccessListEntry] | None = None


class Organization(msgspec.Struct, rename={"org": "org-id"}):
    """An organization; its user and password are never told."""

    org: str
    #: Of the broker.
    address: str


class PutOrganization(msgspec.Struct, rename={"org": "orgID"}):
    """The organization of the path, and how to reach its broker."""

    org: str
    user: str = ""
    password: str = ""
    address: str = ""
