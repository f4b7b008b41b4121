"""What the bodies of requests about groups, labels and placement say."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from common.domain.addressing import parse_destination
from common.domain.errors import InvalidRequest
from common.domain.ids import NodeKey
from common.sync.groups import PlacementEngine

T = TypeVar("T")


class GroupBody(msgspec.Struct, forbid_unknown_fields=True):
    """A group, by exactly one of the two."""

    members: list[str] | None = None
    expression: str | None = None


class PlacementBody(msgspec.Struct, forbid_unknown_fields=True):
    """Who places the policy objects."""

    placement: PlacementEngine


def decode_group(raw: bytes, org: str) -> tuple[str | None, list[NodeKey]]:
    """The expression, or the listed nodes. Raises InvalidRequest."""
    body = _decoded(raw, GroupBody)
    if (body.members is None) == (body.expression is None):
        raise InvalidRequest("A group has either members or an expression.")
    return body.expression, [parse_destination(org, text) for text in body.members or ()]


def decode_labels(raw: bytes) -> dict[str, str]:
    """Raises InvalidRequest."""
    return _decoded(raw, dict[str, str])


def decode_label_changes(raw: bytes) -> dict[str, str | None]:
    """Raises InvalidRequest."""
    return _decoded(raw, dict[str, str | None])


def decode_placement(raw: bytes) -> PlacementEngine:
    """Raises InvalidRequest."""
    return _decoded(raw, PlacementBody).placement


def _decoded(raw: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not as expected: {error}") from error
