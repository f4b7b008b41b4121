"""An application beside a node: waits for objects, reads and verifies them, says what it did with them."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scripts.lib.demo.api import Api, ObjectName
from scripts.lib.demo.failure import DemoFailed
from scripts.lib.demo.screen import Board, bar

_POLL_SECONDS = 0.02
_LOOKS_BETWEEN_STATUS = 10


@dataclass(frozen=True)
class Content:
    """What an object's data has to be."""

    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Content:
        return cls(len(data), hashlib.sha256(data).hexdigest())


class App(threading.Thread):
    """Takes the wanted objects as they become complete on its node: reads, verifies, marks received and consumed."""

    def __init__(
        self, name: str, open_api: Callable[[], Api], wanted: Mapping[ObjectName, Content], board: Board
    ) -> None:
        super().__init__(name=name, daemon=True)
        #: When each object had been read and verified, in seconds of the monotonic clock.
        self.verified_at: dict[ObjectName, float] = {}
        self.failure: DemoFailed | None = None
        self._open_api = open_api
        self._wanted = wanted
        self._board = board
        self._leaving = threading.Event()
        self._done: list[str] = []

    def leave(self) -> None:
        """Stop waiting for what has not come."""
        self._leaving.set()

    def run(self) -> None:
        try:
            with self._open_api() as api:
                self._take_everything(api)
        except DemoFailed as error:
            self.failure = DemoFailed(f"the application at {self.name}: {error}", error.log_path)

    def _take_everything(self, api: Api) -> None:
        looks = 0
        while not self._leaving.is_set() and (left := self._wanted.keys() - self.verified_at.keys()):
            found = [name for name in sorted(left) if self._is_listed(api, name)]
            for name in found:
                self._take(api, name)
            if not found:
                if looks % _LOOKS_BETWEEN_STATUS == 0:
                    self._show_waiting(api, sorted(left))
                looks += 1
                self._leaving.wait(_POLL_SECONDS)

    @staticmethod
    def _is_listed(api: Api, name: ObjectName) -> bool:
        return any(meta["objectID"] == name.id for meta in api.updated(name.type))

    def _take(self, api: Api, name: ObjectName) -> None:
        wanted = self._wanted[name]
        digest, size_bytes = hashlib.sha256(), 0
        with api.data(name) as pieces:
            for piece in pieces:
                digest.update(piece)
                size_bytes += len(piece)
                self._tick(f"reading {name.type} {bar(size_bytes, wanted.size_bytes)}")
        if Content(size_bytes, digest.hexdigest()) != wanted:
            raise DemoFailed(f"{name} does not have the bytes that were sent")
        self.verified_at[name] = time.monotonic()
        api.mark(name, "received")
        api.mark(name, "consumed")
        self._done.append(f"{name.type} consumed")
        self._board.step(self.name, ", ".join(self._done))

    def _show_waiting(self, api: Api, names: list[ObjectName]) -> None:
        arriving = [name.type for name in names if api.status(name) == "partiallyreceived"]
        self._tick(f"{arriving[0]} is arriving" if arriving else f"waiting for {names[0].type}")

    def _tick(self, text: str) -> None:
        self._board.tick(self.name, ", ".join([*self._done, text]))
