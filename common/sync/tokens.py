"""The port of token authenticators: a bearer token in, principal out."""

from __future__ import annotations

from typing import Protocol

from common.sync.authentication import Identified


class TokenAuthenticator(Protocol):
    """Decides who bears a token."""

    async def recognize(self, token: str) -> Identified:
        """Raises NotAuthenticated, and Unavailable when it cannot be found out right now. Does not block."""
        ...
