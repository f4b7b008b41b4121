"""The end of a service: no new work from now on, and whoever holds a request open answers it."""

from __future__ import annotations

from common.runtime.hub import Hub

#: The topic of whoever holds a request open: look whether the end has begun.
DRAIN = "drain"


class Draining:
    """Whether it has begun; it does so once. For the event loop."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._has_begun = False

    @property
    def has_begun(self) -> bool:
        return self._has_begun

    def begin(self) -> None:
        self._has_begun = True
        self._hub.publish([DRAIN])
