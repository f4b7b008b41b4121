"""An OpenID Connect provider on loopback: a real server with real keys, as badly behaved as a test wants it."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "edgesync"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Key:
    """A key of the provider; `published` is what it tells the world about it."""

    kid: str
    algorithm: str
    private: PrivateKey
    published: dict[str, Any]

    def sign(self, claims: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
        return jwt.encode(claims, self.private, self.algorithm, {"kid": self.kid, **(headers or {})})


def new_key(kid: str, algorithm: str = "ES256") -> Key:
    """A key of its own for each kid and algorithm, made once."""
    private = _private(kid, algorithm)
    match private:
        case rsa.RSAPrivateKey():
            published = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
        case ec.EllipticCurvePrivateKey():
            published = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
        case _:
            published = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return Key(kid, algorithm, private, {**published, "kid": kid, "use": "sig", "alg": algorithm})


@cache
def _private(kid: str, algorithm: str) -> PrivateKey:
    match algorithm:
        case "RS256" | "PS256":
            return rsa.generate_private_key(65537, 2048)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case _:
            return ed25519.Ed25519PrivateKey.generate()


@dataclass
class IdentityProvider:
    """Serves its description and its keys while the context lasts. Time is what the test's clock says."""

    now_ms: Callable[[], int]
    keys: list[Key] = field(default_factory=lambda: [new_key("k1")])
    #: What it answers instead, by path.
    instead: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    #: Held back until this is set.
    may_answer: threading.Event = field(default_factory=threading.Event)
    #: The paths asked for, in their order.
    asked: list[str] = field(default_factory=list)
    port: int = 0
    _server: ThreadingHTTPServer | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}/realms/fleet"

    def token(self, key: Key | None = None, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """Valid for five minutes, unless `claims` say otherwise; a claim of None is left out."""
        return (key or self.keys[0]).sign(self.claims(**claims), headers)

    def claims(self, **claims: Any) -> dict[str, Any]:
        now = self.now_ms() // 1000
        every = {"iss": self.issuer, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 300, **claims}
        return {name: value for name, value in every.items() if value is not None}

    def jwks(self) -> bytes:
        return json.dumps({"keys": [key.published for key in self.keys]}).encode()

    def open(self) -> None:
        """Serve, on the port of last time if there was one."""
        self.may_answer.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler_of(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Not reachable from now on."""
        self.may_answer.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        self.may_answer.wait(30)
        if path in self.instead:
            return self.instead[path]
        match path:
            case "/realms/fleet/.well-known/openid-configuration":
                keys = f"http://127.0.0.1:{self.port}/realms/fleet/keys"
                return 200, json.dumps({"issuer": self.issuer, "jwks_uri": keys, "more": {"a": []}}).encode()
            case "/realms/fleet/keys":
                return 200, self.jwks()
            case _:
                return 404, b""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def system_now_ms() -> int:
    return time.time_ns() // 1_000_000


def unsigned(head: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    return ".".join(map(_encoded, (json.dumps(head).encode(), json.dumps(claims).encode(), signature)))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _handler_of(provider: IdentityProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = provider.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
            pass

    return Handler
