"""Bytes that are almost requests: heads, bodies and chunks put together well and badly, then cut, doubled and bent."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.requests_asgi import basic

_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "CONNECT", "PRI", "get", "G\0T", ""]
_TARGETS = [
    "/livez", "/docs", "/openapi.json", "/api/v1/health", "/api/v1/objects/o/t", "/api/v1/objects/o/t/m1",
    "/api/v1/objects/o/t/m1/data", "/api/v1/objects/o/t/m1/status", "/api/v1/objects/o/t/m1/consumed",
    "/api/v1/objects/o/t?received=true", "/api/v1/destinations/o", "/api/v1/security/objects/o",
    "/spi/v1/objects/", "/spi/v1/register/o/edge/n1", "*", "http://h/livez", "//", "/%00", "/%", "/..", "\\",
]  # fmt: skip
_HEADERS = [
    "Host: h", "Host: h", f"Authorization: {basic('ann@o')}", f"Authorization: {basic('ann@o')}",
    f"Authorization: {basic('o/edge/n1')}", "X-Sync-Service-Dest: o/edge/n1", "Authorization: Basic \xff",
    "Connection: close", "Connection: keep-alive", "Connection: upgrade", "Upgrade: websocket", "Upgrade: h2c",
    "Expect: 100-continue", "Expect: the unexpected", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: identity", "Transfer-Encoding : chunked", "Content-Length: 0", "Content-Length: 5",
    "Content-Length: 50", "Content-Length: -1", "Content-Length: 5, 5", "Content-Length: 99999999999999999999",
    "Content-Range: bytes 0-4/10", "Content-Range: bytes 5-9/10", "Content-Range: bytes 0-0/9223372036854775807",
    "Range: bytes=0-3", "Range: bytes=-", 'If-Range: "x"', "If-Match: *", "If-None-Match: *", 'If-Match: "', "If-Match: \xff",
    "Prefer: wait=9999", "Prefer: wait=-1", "Accept: text/event-stream", "Accept: application/problem+json",
    "Last-Event-ID: \xfe", "Content-Type: application/json", " folded", ":", "", "No colon", "Nul: \0", "\xff\xfe: \xfd",
]  # fmt: skip
_UNDERSTOOD = [
    "Content-Range: bytes 0-4/10", "Content-Range: bytes 5-9/10", "Content-Range: bytes 0-0/9223372036854775807",
    "Range: bytes=0-3", "Range: bytes=-", 'If-Range: "x"', "If-Match: *", "If-None-Match: *", 'If-Match: "', "If-Match: \xff",
    "Prefer: wait=9999", "Prefer: wait=-1", "Accept: text/event-stream", "Accept: application/problem+json",
    "Last-Event-ID: \xfe", "Expect: 100-continue", "Connection: close", "Upgrade: websocket", "X-Sync-Service-Dest: o/edge/n1",
]  # fmt: skip
_CHUNK_SIZES = ["0", "1", "5", "5;x=y", "05", "-1", "5 ", "x", "", "ffffffff", "ffffffffffffffffff", "7fffffffffffffff"]
_BODIES = [
    b"", b"12345", b"{}", b'{"meta":{"objectID":"m1","objectType":"t"},"data":"eA=="}', b'{"meta":' + b"[" * 900, b"\xff" * 50,
]  # fmt: skip
_ENDS = [b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\r\n"]


def _chunked(pieces: list[tuple[str, bytes]]) -> bytes:
    return b"".join(size.encode() + b"\r\n" + body + b"\r\n" for size, body in pieces)


_chunks = st.lists(st.tuples(st.sampled_from(_CHUNK_SIZES), st.sampled_from([b"", b"1", b"12345"])), max_size=5)

#: Written short, so that a failing example can be read; `expanded` makes them what they stand for.
_BOMBS = {
    b"@many@": b"X: y\r\n" * 20_000,
    b"@long@": b"X: " + b"y" * 200_000,
    b"@empty@": b"\r\n" * 1000,
    b"@cookies@": b"Cookie: " + b"a=b;" * 9000,
}


def expanded(piece: bytes) -> bytes:
    """What is sent for a piece of a conversation."""
    for name, bomb in _BOMBS.items():
        piece = piece.replace(name, bomb)
    return piece


@st.composite
def _wild_request(draw: st.DrawFn) -> bytes:
    end = draw(st.sampled_from(_ENDS))
    version = draw(st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 x", "", "HTTP/0.9"]))
    line = f"{draw(st.sampled_from(_METHODS))} {draw(st.sampled_from(_TARGETS))} {version}".encode("latin-1")
    headers = [header.encode("latin-1") for header in draw(st.lists(st.sampled_from(_HEADERS), max_size=8))]
    if draw(st.integers(0, 20)) == 0:
        headers.append(draw(st.sampled_from(sorted(_BOMBS))))
    body = _chunked(draw(_chunks)) if draw(st.booleans()) else draw(st.sampled_from(_BODIES))
    return end.join([line, *headers, b"", b""]) + body


@st.composite
def _tame_request(draw: st.DrawFn) -> bytes:
    """One that gets past the parser, with a body that is as long as it says, or says that it is longer."""
    method, target = draw(st.sampled_from(_METHODS[:6])), draw(st.sampled_from(_TARGETS[:-6]))
    headers = ["Host: h", f"Authorization: {basic(draw(st.sampled_from(['ann@o', 'root@o', 'o/edge/n1'])))}"]
    headers += draw(st.lists(st.sampled_from(_UNDERSTOOD), max_size=3))
    body = draw(st.sampled_from(_BODIES))
    if draw(st.booleans()):
        headers.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n%b" % (len(body), body, draw(st.sampled_from([b"0\r\n\r\n", b"0\r\n\r\n", b"zz\r\n"])))
    else:
        headers.append(f"Content-Length: {len(body) + draw(st.sampled_from([0, 0, 0, 7]))}")
    lines = [f"{method} {target} HTTP/1.1", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@st.composite
def _bent(draw: st.DrawFn, raw: bytes) -> bytes:
    """One small accident somewhere."""
    at = draw(st.integers(0, len(raw)))
    match draw(st.sampled_from(["as it is", "as it is", "cut", "dropped", "doubled", "flipped", "inserted"])):
        case "cut":
            return raw[:at]
        case "dropped":
            return raw[:at] + raw[at + draw(st.integers(1, 4)) :]
        case "doubled":
            return raw[:at] + raw[max(0, at - 20) :]
        case "flipped":
            return raw[:at] + bytes(byte ^ 0x80 for byte in raw[at : at + 1]) + raw[at + 1 :]
        case "inserted":
            return raw[:at] + draw(st.binary(max_size=8)) + raw[at:]
        case _:
            return raw


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """What one connection sends, in pieces: one to four requests, one behind the other."""
    raw = b"".join(draw(st.lists(st.one_of(_tame_request(), _tame_request(), _wild_request()), min_size=1, max_size=4)))
    if draw(st.integers(0, 2)) == 0:
        raw = draw(_bent(raw))
    at = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=2)))
    return [raw[start:end] for start, end in zip([0, *at], [*at, len(raw)], strict=True)]
