"""What the use cases ask of stored enrolments: tokens, certificates of nodes, the authority that signs them.

The promises are held by `tests/contract/test_stores_enrolment.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from common.domain.ids import NodeKey


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs the certificates of nodes: PEM certificate and PEM private key."""

    certificate: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EnrolmentToken:
    """Lets one node prove once that it is `node`. Of its secret only a hash is kept."""

    token_id: str
    node: NodeKey
    secret_hash: str = field(repr=False)
    created_by: str
    created_at_ms: int
    expires_at_ms: int
    #: SHA-256 of the public key it was spent for, in hex; None as long as it was not.
    spent_for: str | None = None


@dataclass(frozen=True, slots=True)
class NodeCertificate:
    """A certificate that was issued. It counts as long as it is stored, not expired and not revoked."""

    #: SHA-256 of the certificate in DER, in hex.
    fingerprint: str
    node: NodeKey
    #: SHA-256 of its public key, in hex.
    key_digest: str
    pem: str
    issued_at_ms: int
    expires_at_ms: int
    revoked_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a list that is ordered by node type, node id and one more name."""

    node_type: str = ""
    node_id: str = ""
    name: str = ""


class EnrolmentStore(Protocol):
    """Lists are ordered by node type, node id and the row's own name, in byte order."""

    def authority(self) -> Authority | None: ...

    def keep_authority(self, authority: Authority) -> Authority:
        """Store it unless there is one; the one that is stored then."""
        ...

    def find_token(self, token_id: str, *, lock: bool = False) -> EnrolmentToken | None: ...

    def save_token(self, token: EnrolmentToken) -> None:
        """Insert or replace."""
        ...

    def remove_token(self, org: str, token_id: str) -> bool:
        """Whether the organization had it."""
        ...

    def list_tokens(self, org: str, after: Place, limit: int) -> list[EnrolmentToken]: ...

    def find_certificate(self, fingerprint: str, *, lock: bool = False) -> NodeCertificate | None: ...

    def save_certificates(self, certificates: Sequence[NodeCertificate]) -> None:
        """Insert or replace."""
        ...

    def remove_certificates(self, fingerprints: Sequence[str]) -> None: ...

    def list_certificates(self, org: str, after: Place, limit: int) -> list[NodeCertificate]: ...

    def certificates_of(self, node: NodeKey, *, lock: bool = False) -> list[NodeCertificate]: ...

    def remove_tokens_of(self, node: NodeKey) -> None: ...

    def prune(self, tokens_before_ms: int, certificates_before_ms: int, limit: int) -> None:
        """Forget up to `limit` tokens and certificates each that expired before those times, earliest first."""
        ...
