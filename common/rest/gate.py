"""Who is calling: HTTP Basic credentials, a bearer token or a certificate to a principal, before anything else of the request is looked at."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager

from starlette.requests import HTTPConnection

from common.domain.errors import NotAuthenticated, Unavailable
from common.domain.principals import Principal
from common.rest.request_rates import RequestRates
from common.rest.vigil import CALLER, Vigil
from common.runtime.authentication.cache import PrincipalCache, Remembered
from common.runtime.authentication.throttle import LoginThrottle
from common.runtime.client_certificates import CertificateAuthenticator, certificate_shown_with
from common.runtime.hub import Hub
from common.runtime.logs import fields
from common.sync.authentication import Authenticator, Identified
from common.sync.ports import Clock
from common.sync.tokens import TokenAuthenticator

log = logging.getLogger(__name__)

_MAX_AUTHORIZATION_BYTES = 8 * 1024

#: Begins what stands for a certificate where other callers have a header; no header can hold that.
_CERTIFICATE = b"\0certificate:"

#: How long what is remembered counts without asking whether credentials changed meanwhile.
_CURRENT_SECONDS = 0.5

#: Credentials that are checked at a time: the threads of everything else are not for guesses.
_CHECKS = 3

#: Longer than any check of our own takes; another's may hang.
_CHECK_SECONDS = 20.0
_TOO_SLOW = "It takes too long to check the credentials; try again later."


class Gate:
    """Authenticates requests. For the event loop."""

    def __init__(
        self,
        authenticator: Authenticator,
        hub: Hub,
        clock: Clock,
        rates: RequestRates,
        free_failures: int = 0,
        certificates: CertificateAuthenticator | None = None,
        tokens: TokenAuthenticator | None = None,
    ) -> None:
        """`free_failures` is how often a login may fail before further ones have to wait; 0: always."""
        self._authenticator = authenticator
        self._certificates = certificates
        self._tokens = tokens
        self._rates = rates
        self._monotonic = clock.monotonic
        self._cache = PrincipalCache(clock.monotonic)
        self._throttle = LoginThrottle(clock.monotonic, free_failures if authenticator.checks_secrets else 0)
        self._checks = asyncio.Semaphore(_CHECKS)
        self._generation: Hashable = _NEVER_ASKED
        self._current_until = 0.0
        self._asking: asyncio.Task[None] | None = None
        self._vigil = Vigil(self, hub, clock.monotonic)

    @property
    def epoch(self) -> int:
        """Another one when credentials changed."""
        return self._cache.epoch

    async def principal(self, request: HTTPConnection) -> Principal:
        """Raises NotAuthenticated, TooManyLogins, TooManyRequests; Unavailable when it cannot be told."""
        return (await self.recognize(request)).principal

    async def recognize(self, connection: HTTPConnection) -> Remembered:
        """The same with all that is remembered, which is left in the scope under CALLER."""
        await self.ensure_current()
        # A certificate that is shown has to be good, whatever else is presented.
        known = await self._by_certificate(connection)
        if known is None or "authorization" in connection.headers:
            authorization = _authorization(connection)
            known = self._cache.find(authorization) or await self._ask(connection, authorization)
        if CALLER not in connection.scope:
            self._rates.count_caller(known.principal)
        connection.scope[CALLER] = known
        return known

    async def ensure_current(self, *, at_once: bool = False) -> None:
        """Nothing is remembered that changed more than half a second ago; with `at_once`, nothing that has changed."""
        if self._monotonic() < self._current_until and not at_once:
            return
        if self._asking is None or at_once:
            self._asking = asyncio.create_task(self._ask_for_generation())
            # Whoever asked may have hung up: nobody is left to hear of a failure.
            self._asking.add_done_callback(lambda asked: asked.cancelled() or asked.exception())
        await asyncio.shield(self._asking)

    def forget_all(self) -> None:
        """Credentials were changed here: the next request is to notice."""
        self._cache.clear()

    def hold(self, request: HTTPConnection, end: Callable[[], None]) -> AbstractContextManager[None]:
        """See `Vigil.hold`."""
        return self._vigil.hold(request, end)

    def until_revoked(self, request: HTTPConnection) -> AbstractContextManager[None]:
        """See `Vigil.until_revoked`."""
        return self._vigil.until_revoked(request)

    async def _by_certificate(self, connection: HTTPConnection) -> Remembered | None:
        certificate = certificate_shown_with(connection.scope)
        if certificate is None or self._certificates is None:
            return None
        credentials = _CERTIFICATE + certificate.fingerprint.encode()
        known = self._cache.find(credentials)
        if known is not None:
            return known
        epoch = self._cache.epoch
        identified = await asyncio.to_thread(self._certificates.authenticate, certificate)
        return self._cache.add(credentials, identified, epoch) if identified else None

    def _generations(self) -> Hashable:
        own = self._authenticator.generation()
        return (own, self._certificates.generation()) if self._certificates else own

    async def _ask_for_generation(self) -> None:
        asked_at = self._monotonic()
        try:
            generation = await asyncio.to_thread(self._generations)
        finally:
            if self._asking is asyncio.current_task():
                self._asking = None
        if generation != self._generation:
            self._generation = generation
            self._cache.clear()
        self._current_until = asked_at + _CURRENT_SECONDS

    async def _ask(self, connection: HTTPConnection, authorization: bytes) -> Remembered:
        scheme, _, token = authorization.partition(b" ")
        if self._tokens is not None and scheme.lower() == b"bearer":
            # A token expires by itself: nothing that changes here takes that back, or brings it about.
            identified = await self._tokens.recognize(token.strip().decode("latin-1"))
            return self._cache.add(authorization, identified, self._cache.epoch)
        app_key, secret = _parse_basic(authorization)
        address = connection.client.host if connection.client else ""
        # What was right before is no guess: nobody else's failures keep its owner out.
        was_right = self._cache.was_right(authorization)
        if not was_right:
            self._throttle.check(app_key, address)
        epoch = self._cache.epoch
        try:
            await self._take_turn()
            identified = await self._check(app_key, secret, None if was_right else address)
        except NotAuthenticated:
            self._cache.forget(authorization)
            self._note_failure(app_key, address)
            raise
        self._throttle.succeeded(app_key, address)
        return self._cache.add(authorization, identified, epoch)

    async def _take_turn(self) -> None:
        try:
            await asyncio.wait_for(self._checks.acquire(), _CHECK_SECONDS)
        except TimeoutError as error:
            raise Unavailable(_TOO_SLOW) from error

    async def _check(self, app_key: str, secret: str, guesser: str | None) -> Identified:
        """In a turn that lasts as long as the thread works on it, whoever has given up meanwhile."""
        try:
            if guesser is not None:
                # Others of his guesses may have failed while this one waited.
                self._throttle.check(app_key, guesser)
            loop = asyncio.get_running_loop()
            checked = loop.run_in_executor(None, self._authenticator.authenticate, app_key, secret)
        except BaseException:
            self._checks.release()
            raise
        checked.add_done_callback(self._end_turn)
        try:
            return await asyncio.wait_for(asyncio.shield(checked), _CHECK_SECONDS)
        except TimeoutError as error:
            raise Unavailable(_TOO_SLOW) from error

    def _end_turn(self, checked: asyncio.Future[Identified]) -> None:
        self._checks.release()
        # Whoever asked may have hung up: nobody is left to hear of a failure.
        if not checked.cancelled():
            checked.exception()

    def _note_failure(self, app_key: str, address: str) -> None:
        is_slow = self._throttle.failed(app_key, address)
        level = logging.WARNING if is_slow else logging.INFO
        log.log(level, "login_failed", extra=fields(app_key=app_key[:100], address=address, is_throttled=is_slow))


def caller_of(connection: HTTPConnection) -> Principal:
    """Whom the gate has recognized."""
    known: Remembered = connection.scope[CALLER]
    return known.principal


_NEVER_ASKED = object()


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
