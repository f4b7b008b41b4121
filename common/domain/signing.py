"""The signature a publisher declares in an object's metadata, and what became of checking it (rest-api 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from common.domain.errors import Ignored, VerificationFailed
from common.domain.metadata import Metadata


class OutdatedVerdict(Ignored):
    """The signature was changed while the data was checked against the previous one."""


class WrongSignature(VerificationFailed):
    """The data does not have the signature that its metadata declares."""


class Declaration(NamedTuple):
    """The three members that are checked together, as they stand in the metadata: key and signature in base64."""

    hash_algorithm: str
    public_key: str
    signature: str


def declaration_of(meta: Metadata) -> Declaration | None:
    """What data of this object is to be checked against; None when it is not signed."""
    if not meta.is_signed:
        return None
    return Declaration(meta.hash_algorithm, meta.public_key, meta.signature)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether certain data has the signature of one declaration."""

    declaration: Declaration
    is_genuine: bool


def is_acceptable(meta: Metadata, verdict: Verdict | None) -> bool:
    """May data that was judged like this be the data of this object? What is not signed needs no verdict.

    Raises OutdatedVerdict when the verdict is about another signature than the metadata declares.
    """
    declaration = declaration_of(meta)
    if declaration is None:
        return True
    if verdict is None or verdict.declaration != declaration:
        raise OutdatedVerdict
    return verdict.is_genuine
