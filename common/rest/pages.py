"""Lists as answers: whole, however long, or page by page.

The reference's clients know no pages, so without `limit` a list is complete. It is read and sent a piece at a time:
each piece is a transaction of its own, and nothing is held while a slow client takes it. What changes meanwhile may be
in the list or not; nothing is in it twice.

With `limit=N` there are at most N entries; when more follow, a `Link` header leads to them (RFC 8288).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from common.domain.errors import InvalidRequest
from common.domain.selection import START, ListPosition
from common.rest import responses
from common.rest.paths import first

#: Rows that one transaction reads.
PIECE_ROWS = 500
LARGEST_LIMIT = 1000

_decode_position = msgspec.json.Decoder(tuple[str, str]).decode


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive entries of a list as JSON. There may be none of them although the list goes on."""

    entries: Sequence[bytes]
    #: The list goes on beyond this position; None: that was all.
    end: ListPosition | None


#: Reads the piece of at most so many entries beyond a position.
Read: TypeAlias = Callable[[ListPosition, int], Awaitable[Piece]]
Answer: TypeAlias = Callable[[], Awaitable[Response]]


async def not_found() -> Response:
    """What an empty list is answered with, unless there is more to say (rest-api 7.1)."""
    return responses.not_found()


async def empty_list() -> Response:
    """An `Answer` for lists that may be empty."""
    return responses.json_body(b"[]")


async def answer_list(request: Request, read: Read, when_empty: Answer = not_found) -> Response:
    """The list, or the page of it that the query asks for. Raises InvalidRequest for a malformed `limit` or `after`."""
    limit = _limit(request)
    after = _after(request)
    if limit is None:
        return await _whole(read, after, when_empty)
    entries, end = await _page(read, after, limit)
    if not entries:
        return await when_empty()
    headers = {"link": f'<{_next_target(request, end)}>; rel="next"'} if end else None
    return responses.json_body(_array(entries), headers)


def _limit(request: Request) -> int | None:
    text = first(request.query_params, "limit")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LARGEST_LIMIT):
        raise InvalidRequest(f"limit has to be a number from 1 to {LARGEST_LIMIT}.")
    return int(text)


def _after(request: Request) -> ListPosition:
    text = first(request.query_params, "after")
    if not text:
        return START
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        position = ListPosition(*_decode_position(raw))
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        position = None
    if position is None or "\0" in "".join(position):
        raise InvalidRequest("after has to be what the Link header of the page before says.") from None
    return position


def _next_target(request: Request, end: ListPosition) -> str:
    cursor = base64.urlsafe_b64encode(msgspec.json.encode(end)).decode().rstrip("=")
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
    return f"{quote(request.scope['path'], safe='/!@$*~')}?{urlencode([*query, ('after', cursor)])}"


async def _page(read: Read, after: ListPosition, limit: int) -> tuple[list[bytes], ListPosition | None]:
    entries: list[bytes] = []
    end: ListPosition | None = after
    while end is not None and len(entries) < limit:
        piece = await read(end, min(limit - len(entries), PIECE_ROWS))
        entries += piece.entries
        end = piece.end
    return entries, end


async def _whole(read: Read, after: ListPosition, when_empty: Answer) -> Response:
    piece = await read(after, PIECE_ROWS)
    while not piece.entries and piece.end is not None:
        piece = await read(piece.end, PIECE_ROWS)
    if not piece.entries:
        return await when_empty()
    if piece.end is None:
        return responses.json_body(_array(piece.entries))
    return StreamingResponse(_pieces(piece, read), media_type="application/json")


async def _pieces(piece: Piece, read: Read) -> AsyncIterator[bytes]:
    yield b"[" + b",".join(piece.entries)
    while piece.end is not None:
        piece = await read(piece.end, PIECE_ROWS)
        if piece.entries:
            yield b"," + b",".join(piece.entries)
    yield b"]"


def _array(entries: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(entries) + b"]"
