"""The provider's keys at hand: fetched when they are first asked for, renewed in the background, kept while it is away.

    key known, fetched lately       at once
    key known, fetched long ago     at once, and the keys are fetched again meanwhile
    key unknown                     after one more look at the provider, if the last was not just now: keys change
    no keys, or too old ones        after fetching them

All who wait share one fetch, which holds one thread; nobody else waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from common.domain.errors import Unavailable
from common.runtime.authentication.signing_keys import KeysUnusable, SigningKeys
from common.runtime.http_fetch import FetchFailed
from common.runtime.logs import fields

if TYPE_CHECKING:
    from jwt import PyJWK

log = logging.getLogger(__name__)

#: A key that the provider withdraws stays in use for as long.
FRESH_SECONDS = 300.0
#: Between two fetches, whoever asks for whatever key.
FETCH_PAUSE_SECONDS = 15.0
#: Nobody waits longer for a fetch, which may be under way already.
_WAIT_SECONDS = 12.0


class KeyRing:
    """For one event loop. `fetch` blocks, and raises FetchFailed and KeysUnusable."""

    def __init__(self, fetch: Callable[[], SigningKeys], monotonic: Callable[[], float], kept_seconds: float) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._kept_seconds = kept_seconds
        self._keys = SigningKeys()
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, algorithm: str, key_id: str | None) -> PyJWK | None:
        """None for a key that the provider does not have. Raises Unavailable when that cannot be found out."""
        key = self._keys.find(algorithm, key_id) if self._are_usable() else None
        if key is not None:
            if self._age_seconds() > FRESH_SECONDS:
                self._start_fetching()
            return key
        await self._fetched()
        if not self._are_usable():
            raise Unavailable("The identity provider cannot be reached; try again later.")
        return self._keys.find(algorithm, key_id)

    def _age_seconds(self) -> float:
        return self._monotonic() - self._fetched_at

    def _are_usable(self) -> bool:
        return self._age_seconds() <= self._kept_seconds

    async def _fetched(self) -> None:
        """After the fetch that is under way, or a new one if the last was long enough ago."""
        fetching = self._start_fetching()
        if fetching is not None:
            try:
                await asyncio.wait_for(asyncio.shield(fetching), _WAIT_SECONDS)
            except TimeoutError:
                return

    def _start_fetching(self) -> asyncio.Task[None] | None:
        if self._fetching is not None:
            return self._fetching
        if self._monotonic() - self._tried_at < FETCH_PAUSE_SECONDS:
            return None
        self._tried_at = self._monotonic()
        self._fetching = asyncio.create_task(self._fetch_keys())
        return self._fetching

    async def _fetch_keys(self) -> None:
        try:
            self._keys = await asyncio.to_thread(self._fetch)
            self._fetched_at = self._monotonic()
        except (FetchFailed, KeysUnusable, OSError) as error:
            log.warning("oidc_keys_not_fetched", extra=fields(reason=str(error)))
        except Exception:
            log.exception("oidc_keys_not_fetched")
        finally:
            self._fetching = None
