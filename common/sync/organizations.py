"""What the use cases ask of stored organizations. The promises are held by `tests/contract/test_stores_organizations.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from common.domain.objects import Payload
from common.domain.organizations import Organization


@dataclass(frozen=True, slots=True)
class Removal:
    """A page of what belonged to an organization and is gone."""

    #: How many rows.
    count: int
    #: Payloads, or names of staged ones, that no row refers to any more.
    payloads: Sequence[Payload | str]


class OrganizationStore(Protocol):
    """The organizations that were registered, and everything that belongs to one, registered or not."""

    def find(self, org: str) -> Organization | None: ...

    def save(self, organization: Organization) -> None:
        """Insert or replace."""
        ...

    def remove(self, org: str) -> None:
        """The registration alone. Unknown ones are fine."""
        ...

    def list_all(self) -> list[Organization]:
        """In the byte order of their names."""
        ...

    def remove_belongings(self, org: str, limit: int) -> Removal:
        """Remove up to `limit` rows of the organization, of whatever kind: nodes first, objects after what hangs on them.

        Fewer than `limit` means that nothing is left. Its registration and the accounts of its users stay.
        """
        ...
