"""The tenants of a cloud."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Organization:
    """How the nodes of an organization reach their broker. Objects do not need it: any name in a credential is a tenant."""

    org: str
    user: str = ""
    #: Kept out of every repr and every answer.
    password: str = field(default="", repr=False)
    address: str = ""
