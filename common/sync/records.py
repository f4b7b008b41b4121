"""Records the stores keep that have no rules of their own."""

from __future__ import annotations

from dataclasses import dataclass

from common.domain.addressing import Audience
from common.domain.chunks import Coverage
from common.domain.ids import NodeKey, ObjectKey
from common.domain.principals import Role


@dataclass(frozen=True, slots=True)
class Opening:
    """A new instance on its way to everyone its audience includes."""

    object: ObjectKey
    instance: int
    audience: Audience
    is_deliverable: bool
    now_ms: int


@dataclass(frozen=True, slots=True)
class FanOut:
    """An opening that continues in the background, node by node in key order."""

    object: ObjectKey
    instance: int
    audience: Audience
    is_deliverable: bool
    #: The last node that has its delivery; None at the start.
    after: NodeKey | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """An application's upload in pieces: the total it declared and what is durable so far."""

    object: ObjectKey
    staged: str
    total_bytes: int
    #: Size of the piece that carried offset 0; reported as `uploadChunkSize`.
    chunk_bytes: int
    coverage: Coverage
    updated_at_ms: int


@dataclass(frozen=True, slots=True)
class Account:
    """One application key. The secret is stored as a salted hash only, and kept out of every repr."""

    app_key: str
    role: Role
    #: Empty for a sync admin of every organization.
    org: str
    #: User name; `type/id` for an edge node; `serviceOrg/version/name` for a service.
    identity: str
    secret_hash: str
    created_at_ms: int
    #: When it stops to count by itself; None: never.
    expires_at_ms: int | None = None
    #: Since when it counts no more; the key stays taken.
    revoked_at_ms: int | None = None
    #: When it got its present secret, if that is not its first one.
    rotated_at_ms: int | None = None
    #: The secret before the present one counts until that time.
    previous_secret_hash: str | None = None
    previous_until_ms: int | None = None

    def __repr__(self) -> str:
        return f"Account({self.app_key!r}, {self.role.value}, org={self.org!r}, identity={self.identity!r})"
