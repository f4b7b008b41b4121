"""Small numbers a node remembers over restarts."""

from __future__ import annotations

from typing import Protocol

#: 1 while an application's wish that the cloud sends everything again has not reached the cloud.
RESEND_WANTED = "resend-wanted"


class CounterStore(Protocol):
    """Numbers by name."""

    def get(self, name: str) -> int:
        """0 for one that was never set."""
        ...

    def set(self, name: str, value: int) -> None: ...
