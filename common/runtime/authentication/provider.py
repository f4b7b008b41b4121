"""Where an identity provider keeps its keys, and fetching them (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from common.runtime.authentication.signing_keys import KeysUnusable, SigningKeys, parse_keys
from common.runtime.config.oidc import SignatureAlgorithm, is_trustworthy
from common.runtime.http_call import Deadline
from common.runtime.http_fetch import Fetcher, FetchFailed

#: For the description and the keys together.
FETCH_SECONDS = 10.0
_MOST_BYTES = 256 * 1024


class _Description(msgspec.Struct):
    issuer: str
    jwks_uri: str


class Provider:
    """The provider of one issuer."""

    def __init__(self, issuer: str, algorithms: Iterable[SignatureAlgorithm], fetcher: Fetcher) -> None:
        self.issuer = issuer
        self._algorithms = tuple(algorithms)
        self._fetcher = fetcher

    def fetch_keys(self) -> SigningKeys:
        """Takes FETCH_SECONDS at most. Raises FetchFailed, KeysUnusable."""
        deadline = Deadline(FETCH_SECONDS)
        where = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            description = msgspec.json.decode(self._fetcher.get(where, deadline, _MOST_BYTES), type=_Description)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise FetchFailed(f"{where} is no description of a provider") from error
        # Who answers for another issuer could vouch for its tokens.
        if description.issuer != self.issuer:
            raise FetchFailed(f"{where} describes another issuer than OIDCIssuer")
        if not _is_as_private(description.jwks_uri, self.issuer):
            raise FetchFailed(f"{where} names a jwks_uri that is no https URL")
        try:
            return parse_keys(self._fetcher.get(description.jwks_uri, deadline, _MOST_BYTES), self._algorithms)
        except KeysUnusable as error:
            raise KeysUnusable(f"what jwks_uri leads to cannot be used: {error}") from error


def _is_as_private(url: str, issuer: str) -> bool:
    return is_trustworthy(url.partition("?")[0]) and (url.startswith("https:") or issuer.startswith("http:"))
