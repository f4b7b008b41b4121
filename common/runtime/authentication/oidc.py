"""Bearer tokens of an OpenID Connect provider: signature, issuer, audience and time, then the operator's rules."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from common.domain.errors import NotAuthenticated
from common.runtime.authentication.key_ring import KeyRing
from common.runtime.authentication.provider import Provider
from common.runtime.config.oidc import OidcSettings
from common.runtime.http_fetch import Fetcher
from common.runtime.logs import fields
from common.runtime.tls import client_ssl_context
from common.sync.authentication import Identified

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from jwt import PyJWK

    from common.sync.ports import Clock

log = logging.getLogger(__name__)

MOST_TOKEN_BYTES = 8 * 1024


class _Head(msgspec.Struct):
    alg: str
    kid: str | None = None


class _Refused(Exception):
    """The text says why, for the log: a caller learns nothing from it."""


class OidcAuthenticator:
    """Recognizes the bearers of tokens."""

    def __init__(self, settings: OidcSettings, keys: KeyRing, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._keys = keys
        self._now_ms = now_ms

    async def recognize(self, token: str) -> Identified:
        """Raises NotAuthenticated; Unavailable when the provider's keys are not known."""
        try:
            head, claims = _parsed(token, self._settings)
            # First: what has expired needs no key, and is refused even while the provider cannot be reached.
            self._check(claims)
            key = await self._keys.find(head.alg, head.kid)
            if key is None:
                raise _Refused("unknown key")
            await asyncio.to_thread(_check_signature, token, key, head.alg)
            valid_seconds = self._check(claims)
        except _Refused as refusal:
            log.info("bearer_token_refused", extra=fields(reason=str(refusal)))
            raise NotAuthenticated from refusal
        try:
            principal = self._settings.rules.principal(claims)
        except NotAuthenticated:
            log.info("bearer_token_refused", extra=fields(reason="no rule says who this is", subject=claims["sub"]))
            raise
        return Identified(principal, valid_seconds)

    def _check(self, claims: Mapping[str, Any]) -> float:
        """For how many seconds the token is still good. Raises _Refused."""
        settings, now, skew = self._settings, self._now_ms() / 1000, self._settings.clock_skew_seconds
        if claims.get("iss") != settings.issuer:
            raise _Refused("another issuer")
        audience = claims.get("aud")
        if settings.audience not in (audience if isinstance(audience, list) else [audience]):
            raise _Refused("another audience")
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise _Refused("no subject")
        if _instant(claims, "nbf", default=now) > now + skew or _instant(claims, "iat", default=now) > now + skew:
            raise _Refused("not valid yet")
        valid_seconds = _instant(claims, "exp") + skew - now
        if valid_seconds <= 0:
            raise _Refused("expired")
        return valid_seconds


def oidc_authenticator(settings: OidcSettings, root: Path, clock: Clock) -> OidcAuthenticator | None:
    """None when the settings name no issuer. Nothing is fetched yet, and nothing heavy loaded."""
    if not settings.issuer:
        return None

    def tls() -> ssl.SSLContext:
        source = settings.ca_certificate
        return client_ssl_context(source.text if source.is_pem or not source else str(source.path_below(root)))

    provider = Provider(settings.issuer, settings.algorithms, Fetcher(tls))
    keys = KeyRing(provider.fetch_keys, clock.monotonic, settings.keys_kept_seconds)
    return OidcAuthenticator(settings, keys, clock.now_ms)


def _parsed(token: str, settings: OidcSettings) -> tuple[_Head, Mapping[str, Any]]:
    """What the token says, of which nothing is true yet. Raises _Refused."""
    if len(token) > MOST_TOKEN_BYTES or token.count(".") != 2:
        raise _Refused("no signed token")
    head_text, claims_text, _ = token.split(".")
    try:
        head = msgspec.json.decode(_decoded(head_text), type=_Head)
        claims = msgspec.json.decode(_decoded(claims_text))
    except (ValueError, RecursionError) as error:
        raise _Refused("no signed token") from error
    if head.alg not in settings.algorithms:
        raise _Refused("an algorithm that OIDCAlgorithms does not name")
    if not isinstance(claims, dict):
        raise _Refused("no claims")
    return head, claims


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _check_signature(token: str, key: PyJWK, algorithm: str) -> None:
    """Raises _Refused unless all of the token is signed with this key."""
    from jwt import PyJWS
    from jwt.exceptions import PyJWTError

    try:
        PyJWS(algorithms=[algorithm]).decode_complete(token, key, algorithms=[algorithm])
    except (PyJWTError, ValueError) as error:
        raise _Refused("a wrong signature") from error


def _instant(claims: Mapping[str, Any], name: str, default: float | None = None) -> float:
    """Seconds since 1970. Raises _Refused."""
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e12:
        raise _Refused(f"no {name}")
    return float(value)
