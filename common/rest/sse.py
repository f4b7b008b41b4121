"""Server-sent events as they are spelled (the `text/event-stream` format of the HTML standard)."""

from __future__ import annotations

from common.domain.metadata import Metadata
from common.protocol import codec
from common.sync.changes import Position

MEDIA_TYPE = "text/event-stream"

#: A comment: keeps intermediaries from closing a quiet connection.
HEARTBEAT = b":\n\n"


def update(epoch: int, mark: int, meta: Metadata) -> bytes:
    """The event of one object. A client that has it has seen everything numbered up to `mark`."""
    return b"event: update\nid: %x.%d\ndata: %b\n\n" % (epoch, mark, codec.encode_metadata(meta))


def retry(milliseconds: int) -> bytes:
    """How long a client is to wait before it connects again."""
    return b"retry: %d\n\n" % milliseconds


def resume_point(text: str | None) -> Position | None:
    """The position a `Last-Event-ID` stands for; None when it is not one of ours."""
    epoch, dot, mark = (text or "").partition(".")
    if not dot or len(epoch) > 16 or len(mark) > 20:
        return None
    try:
        return Position(int(epoch, 16), int(mark))
    except ValueError:
        return None


def is_wanted(accept: str | None) -> bool:
    """Does an Accept header name the format itself? Wildcards do not count: every client sends them."""
    for part in (accept or "").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name == MEDIA_TYPE and not any(_is_zero_weight(each) for each in parameters):
            return True
    return False


def _is_zero_weight(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in ("", "0", "0.", ".")
