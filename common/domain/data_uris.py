"""`file:` URIs by which objects name a file of a node's machine (`sourceDataUri`, `destinationDataUri`)."""

from __future__ import annotations

import re
from urllib.parse import unquote

from common.domain.errors import InvalidRequest

#: No host and an absolute path; neither query nor fragment.
_FILE_URI = re.compile(r"file:(?://)?(/[^/?#][^?#]*)", re.IGNORECASE)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%2f|%00", re.IGNORECASE)


def path_of(uri: str, member: str) -> tuple[str, ...]:
    """The names from the root down to the file that `uri` means; `member` is what the metadata calls it.

    Escapes are decoded once. Raises InvalidRequest for anything but a `file:` URI without a host, and for a path that
    names a directory or leads upwards, however it is written.
    """
    match = _FILE_URI.fullmatch(uri)
    if match is None:
        raise InvalidRequest(f"{member} has to be a file: URI without a host, such as file:///directory/name.")
    if _BAD_ESCAPE.search(match[1]) or "\0" in match[1]:
        raise InvalidRequest(f"{member} contains an escape that is not allowed.")
    try:
        path = unquote(match[1], errors="strict")
        path.encode()
    except UnicodeError:
        raise InvalidRequest(f"{member} contains what is not UTF-8.") from None
    names = path.split("/")[1:]
    if not {"", ".", ".."}.isdisjoint(names):
        raise InvalidRequest(f"{member} has to name a file by its plain path, without empty parts, . and ..")
    return tuple(names)
