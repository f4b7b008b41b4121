"""What a caller may make its change depend on: which version it replaces, so that no update gets lost (RFC 9110, 13).

A validator is a text that differs between any two versions of what it stands for. The metadata and the data of an object
have one each.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from common.domain.errors import PreconditionFailed
from common.domain.metadata import Metadata
from common.domain.objects import READABLE, SyncObject

#: In place of validators: whatever version there is.
ANY_VERSION = frozenset({"*"})


@dataclass(frozen=True, slots=True)
class Precondition:
    """What has to be so in the very transaction that makes the change."""

    #: The present version has one of these. None: nothing is asked.
    matches: frozenset[str] | None = None
    #: There is no present version, or it has none of these. None: nothing is asked.
    differs: frozenset[str] | None = None

    def check(self, present: str | None) -> None:
        """`present` is the validator of what is there, None when nothing is. Raises PreconditionFailed."""
        if self.matches is not None and not _has_one(present, self.matches):
            raise PreconditionFailed
        if self.differs is not None and _has_one(present, self.differs):
            raise PreconditionFailed


UNCONDITIONAL = Precondition()


def metadata_validator(meta: Metadata) -> str:
    """Of what GET shows of an object. The instance alone would not do: an activation, for one, makes no new one."""
    return hashlib.sha256(msgspec.json.encode(meta)).hexdigest()[:32]


def object_validator(item: SyncObject | None) -> str | None:
    """`metadata_validator` of an object that may not be there."""
    return None if item is None else metadata_validator(item.meta)


def data_validator(item: SyncObject | None) -> str | None:
    """Of the data that applications can read; None when there is none."""
    if item is None or item.payload is None or item.status not in READABLE:
        return None
    return item.payload.digest


def _has_one(present: str | None, validators: frozenset[str]) -> bool:
    return present is not None and (validators is ANY_VERSION or present in validators)
