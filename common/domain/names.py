"""Which names are allowed (rest-api 1.7)."""

from __future__ import annotations

import re

_PUNCTUATION = frozenset("!@#$^*-_.~|")
_ASCII_NAME = re.compile(r"[A-Za-z0-9!@#$^*\-_.~|]+")
_TAG = re.compile(r"</?[A-Za-z0-9]+>")

#: Ours: long enough for any name seen in the field, short enough for an index and a header.
MAX_NAME_CHARACTERS = 1024


def is_valid_name(text: str) -> bool:
    """One or more Unicode letters or numbers, or one of `! @ # $ ^ * - _ . ~ |`."""
    if _ASCII_NAME.fullmatch(text):
        return len(text) <= MAX_NAME_CHARACTERS
    return 0 < len(text) <= MAX_NAME_CHARACTERS and all(c in _PUNCTUATION or _is_letter_or_number(c) for c in text)


def is_valid_description(text: str) -> bool:
    """Anything without a simple tag such as `<b>` or `</b>`."""
    return _TAG.search(text) is None


def _is_letter_or_number(character: str) -> bool:
    # isnumeric covers the categories Nd, Nl and No; isalpha the letters.
    return character.isalpha() or character.isnumeric()
