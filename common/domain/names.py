"""Which names are allowed (rest-api 1.7)."""

from __future__ import annotations

import re

_PUNCTUATION = frozenset("!@#$^*-_.~|")
_ASCII_NAME = re.compile(r"[A-Za-z0-9!@#$^*\-_.~|]+")
_TAG = re.compile(r"</?[A-Za-z0-9]+>")

#: Ours, in UTF-8: long enough for any name seen in the field, short enough for five of them in one index entry.
MAX_NAME_BYTES = 500


def is_valid_name(text: str) -> bool:
    """One or more Unicode letters or numbers, or one of `! @ # $ ^ * - _ . ~ |`."""
    if _ASCII_NAME.fullmatch(text):
        return len(text) <= MAX_NAME_BYTES
    if not 0 < len(text) <= MAX_NAME_BYTES or len(text.encode(errors="replace")) > MAX_NAME_BYTES:
        return False
    return all(c in _PUNCTUATION or _is_letter_or_number(c) for c in text)


def is_valid_segment(text: str) -> bool:
    """A valid name that is no path of its own: what is called `.` or `..` could be written and never be asked for."""
    return text not in (".", "..") and is_valid_name(text)


def is_valid_description(text: str) -> bool:
    """Anything without a simple tag such as `<b>` or `</b>`."""
    return _TAG.search(text) is None


def _is_letter_or_number(character: str) -> bool:
    # isnumeric covers the categories Nd, Nl and No; isalpha the letters.
    return character.isalpha() or character.isnumeric()
