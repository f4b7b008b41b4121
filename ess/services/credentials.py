"""How a node proves to its cloud who it is, as the link sees it."""

from __future__ import annotations

from typing import Protocol


class Credentials(Protocol):
    """Asked by the worker that keeps the link. Methods raise SyncErrors, which the link treats as its own."""

    def make_ready(self) -> None:
        """The node is about to register."""
        ...

    def were_refused(self) -> None:
        """The cloud does not know who this is."""
        ...

    def keep_fresh(self) -> None:
        """The cloud has answered. Trouble is for later: what is in use is still good."""
        ...


class FixedCredentials:
    """A key and a secret: nothing is to be done."""

    def make_ready(self) -> None:
        pass

    def were_refused(self) -> None:
        pass

    def keep_fresh(self) -> None:
        pass
