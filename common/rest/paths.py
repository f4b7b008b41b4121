"""Paths of the application interface, split and checked (rest-api 1.2, 1.7)."""

from __future__ import annotations

from starlette.datastructures import QueryParams

from common.domain.errors import InvalidRequest
from common.domain.names import is_valid_name


class Malformed(InvalidRequest):
    """A value in the query is none of those it may have."""


def segments_below(path: str, prefix: str) -> list[str]:
    """The decoded segments after `prefix`; one trailing slash is ignored. Raises InvalidRequest for an empty or dot segment."""
    rest = path[len(prefix) :].removeprefix("/").removesuffix("/")
    if not rest:
        return []
    segments = rest.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise InvalidRequest("The path has an empty segment, or one that is only dots.")
    return segments


def check_names(**names: str) -> None:
    """Raises InvalidRequest naming the segment that breaks the name rule."""
    for what, name in names.items():
        if not is_valid_name(name):
            raise InvalidRequest(f"The {what.replace('_', ' ')} in the path contains characters that are not allowed.")


def first(parameters: QueryParams, name: str) -> str:
    """A query parameter (rest-api 1.6), the first of several; absent is the same as empty."""
    return next(iter(parameters.getlist(name)), "")


def flag(parameters: QueryParams, name: str) -> bool | None:
    """A boolean query parameter (rest-api 1.6); None when absent or empty. The first of several counts.

    Raises Malformed for anything else.
    """
    value = first(parameters, name)
    if not value:
        return None
    if value in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if value in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise Malformed


def explained_flag(parameters: QueryParams, name: str) -> bool | None:
    """As `flag`, where the refusal has a text. Raises InvalidRequest."""
    try:
        return flag(parameters, name)
    except Malformed:
        raise InvalidRequest(f"{name} has to be true or false.") from None
