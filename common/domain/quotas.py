"""How much an organization may keep, and how much it keeps."""

from __future__ import annotations

from dataclasses import dataclass

from common.domain.errors import QuotaExceeded
from common.domain.objects import SyncObject


@dataclass(frozen=True, slots=True)
class Usage:
    """Objects, and bytes of their payloads; or by how much these change.

    An object counts until nothing is left of it: also while its nodes have yet to confirm its deletion.
    """

    objects: int = 0
    payload_bytes: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.objects + other.objects, self.payload_bytes + other.payload_bytes)

    def __sub__(self, other: Usage) -> Usage:
        return Usage(self.objects - other.objects, self.payload_bytes - other.payload_bytes)

    def __bool__(self) -> bool:
        return self.objects != 0 or self.payload_bytes != 0


NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Quota:
    """The most an organization may keep; 0 sets no limit."""

    objects: int = 0
    payload_bytes: int = 0

    @property
    def is_unlimited(self) -> bool:
        return not self.objects and not self.payload_bytes

    def check(self, before: Usage, after: Usage) -> None:
        """Raises QuotaExceeded when a change makes more of what is too much afterwards; less of it is always welcome."""
        if self.objects and after.objects > max(self.objects, before.objects):
            raise QuotaExceeded(f"The organization may not have more than {self.objects} objects.")
        if self.payload_bytes and after.payload_bytes > max(self.payload_bytes, before.payload_bytes):
            raise QuotaExceeded(f"The organization may not have more than {self.payload_bytes} bytes of data.")


@dataclass(frozen=True, slots=True)
class QuotaOverride:
    """What holds for one organization instead of the default; None leaves the default."""

    objects: int | None = None
    payload_bytes: int | None = None

    def over(self, default: Quota) -> Quota:
        return Quota(
            default.objects if self.objects is None else self.objects,
            default.payload_bytes if self.payload_bytes is None else self.payload_bytes,
        )


def usage_of(item: SyncObject | None) -> Usage:
    """What one object, which may not be there, takes."""
    if item is None:
        return NOTHING
    return Usage(1, item.payload.size if item.payload else 0)
