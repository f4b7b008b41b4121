"""Who is calling: HTTP Basic credentials to a principal, before anything else of the request is looked at."""

from __future__ import annotations

import asyncio
import base64
import binascii

from starlette.requests import HTTPConnection

from common.domain.errors import NotAuthenticated
from common.domain.principals import Principal
from common.runtime.authentication.cache import PrincipalCache
from common.sync.authentication import Authenticator

_MAX_AUTHORIZATION_BYTES = 8 * 1024


class Gate:
    """Authenticates requests."""

    def __init__(self, authenticator: Authenticator, cache: PrincipalCache) -> None:
        self._authenticator = authenticator
        self._cache = cache

    async def principal(self, request: HTTPConnection) -> Principal:
        """Raises NotAuthenticated."""
        authorization = _authorization(request)
        known = self._cache.find(authorization)
        if known is not None:
            return known
        app_key, secret = _parse_basic(authorization)
        principal = await asyncio.to_thread(self._authenticator.authenticate, app_key, secret)
        self._cache.add(authorization, principal)
        return principal


def _authorization(request: HTTPConnection) -> bytes:
    for name, value in request.scope["headers"]:
        if name == b"authorization":
            if len(value) > _MAX_AUTHORIZATION_BYTES:
                break
            return bytes(value)
    raise NotAuthenticated


def _parse_basic(authorization: bytes) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        raise NotAuthenticated
    try:
        app_key, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise NotAuthenticated from error
    # To scrypt a secret and the same one with NUL bytes at its end are alike.
    if not colon or not app_key or "\0" in app_key or "\0" in secret:
        raise NotAuthenticated
    return app_key, secret
