"""Labels: what a node is like, in a few words of its own or of an administrator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias
from urllib.parse import quote, unquote

from common.domain.errors import InvalidRequest

Labels: TypeAlias = Mapping[str, str]

MAX_LABELS = 64
MAX_NAME_CHARACTERS = 128
MAX_VALUE_CHARACTERS = 256

#: Words of the expression language, in any case; as names they could not be told apart from it.
RESERVED_WORDS = frozenset({"and", "or", "not", "in", "has"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[./-][A-Za-z0-9_]+)*")


class LabelSource(StrEnum):
    """Who said so. An administrator's word stands where both speak about the same label."""

    REGISTRATION = "registration"
    ADMIN = "admin"


def is_label_name(text: str) -> bool:
    """Words of ASCII letters, digits and `_`, joined by `.`, `-` or `/`; no digit first, no reserved word."""
    return len(text) <= MAX_NAME_CHARACTERS and _NAME.fullmatch(text) is not None and text.lower() not in RESERVED_WORDS


def check_labels(labels: Labels) -> None:
    """Raises InvalidRequest for the first label that breaks a rule, or when there are too many."""
    if len(labels) > MAX_LABELS:
        raise InvalidRequest(f"A node has at most {MAX_LABELS} labels.")
    for name, value in labels.items():
        if not is_label_name(name):
            raise InvalidRequest(
                f"A label's name is made of letters, digits and _, joined by . - or /, and is no word of the "
                f"expression language: {name[:MAX_NAME_CHARACTERS]!r} is none."
            )
        if len(value) > MAX_VALUE_CHARACTERS or not value.isprintable():
            raise InvalidRequest(
                f"The value of the label {name} is longer than {MAX_VALUE_CHARACTERS} characters or not printable."
            )


def effective(by_source: Mapping[LabelSource, Labels]) -> dict[str, str]:
    """What counts when both sources speak."""
    return {**by_source.get(LabelSource.REGISTRATION, {}), **by_source.get(LabelSource.ADMIN, {})}


def parse_labels(text: str) -> dict[str, str]:
    """`name=value,name=value`, values percent-encoded; spaces around the parts do not count. Raises InvalidRequest."""
    labels: dict[str, str] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        name = name.strip()
        if not equals or name in labels:
            raise InvalidRequest("Labels are written name=value, separated by commas, each name once.")
        try:
            labels[name] = unquote(value.strip(), errors="strict")
        except UnicodeDecodeError:
            raise InvalidRequest(f"The value of the label {name!r} is not percent-encoded UTF-8.") from None
    check_labels(labels)
    return labels


def format_labels(labels: Labels) -> str:
    """The text that `parse_labels` reads, in ASCII and in the order of the names."""
    return ",".join(f"{name}={quote(value, safe='')}" for name, value in sorted(labels.items()))
