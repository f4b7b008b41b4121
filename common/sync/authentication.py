"""The port of authenticators: credentials in, principal out."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from common.domain.principals import Principal


@dataclass(frozen=True, slots=True)
class Identified:
    """Who somebody is, as far as credentials tell."""

    principal: Principal
    #: How long that holds if nothing changes; None: until something does (see `Authenticator.generation`).
    valid_seconds: float | None = None


class Authenticator(Protocol):
    """Decides who presents an application key and secret. No method is for the event loop: each may block."""

    @property
    def checks_secrets(self) -> bool:
        """Could somebody get in by guessing?"""
        ...

    def authenticate(self, app_key: str, secret: str) -> Identified:
        """Raises NotAuthenticated; Unavailable when it cannot be told."""
        ...

    def generation(self) -> Hashable:
        """Differs from before once anything that `authenticate` said may hold no longer. Raises Unavailable."""
        ...


@runtime_checkable
class HasCloudCredentials(Protocol):
    """An authenticator of an edge that also knows how the edge itself logs in."""

    @property
    def cloud_credentials(self) -> tuple[str, str] | None:
        """Key and secret that the edge presents to the cloud."""
        ...
