"""The port of authenticators: credentials in, principal out."""

from __future__ import annotations

from typing import Protocol

from common.domain.principals import Principal


class Authenticator(Protocol):
    """Decides who presents an application key and secret."""

    def authenticate(self, app_key: str, secret: str) -> Principal:
        """Raises NotAuthenticated. May block; not for the event loop."""
        ...
