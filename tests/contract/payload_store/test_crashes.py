"""What a payload store holds after its process ended at any point."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from common.store.payload_tables import CHUNK_BYTES
from common.sync.payloads import PayloadIncomplete
from tests.support.payload_places import NAME, Place, stage, stored
from tests.support.payload_process import content_of

ROOT_OF_REPOSITORY = Path(__file__).parents[3]


class Crash(BaseException):
    """The process ends here."""


class CrashPoint:
    """Ends the process before or after the n-th of the watched calls."""

    def __init__(self, at_call: int, *, after: bool) -> None:
        self.calls_left = at_call
        self.after = after
        self.has_struck = False

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.calls_left -= 1
            if self.calls_left == 0 and not self.after:
                self.strike()
            is_last = self.calls_left == 0
            try:
                return function(*args, **kwargs)
            finally:
                if is_last:
                    self.strike()

        return watched

    def strike(self) -> None:
        self.has_struck = True
        raise Crash


WATCHED_CALLS: dict[str, tuple[Any, list[str]]] = {
    "files": (os, ["open", "mkdir", "pwrite", "fdatasync", "ftruncate", "fsync", "rename"]),
    "postgres": (psycopg.Connection, ["execute"]),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_call_leaves_a_state_that_staging_and_sealing_continue_from(
    durable_place: Place, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    content = content_of(NAME, CHUNK_BYTES + 9)
    owner, watched = WATCHED_CALLS[durable_place.kind]
    at_call = 0
    while True:
        at_call += 1
        crash = CrashPoint(at_call, after=after)
        with monkeypatch.context() as patched:
            for name in watched:
                patched.setattr(owner, name, crash.around(getattr(owner, name)))
            with suppress(Crash):
                stage(durable_place.open(), NAME, (0, content), (len(content), b"surplus"))
                durable_place.open().seal(NAME, len(content))
        store = durable_place.open()
        if not crash.has_struck:
            break

        try:
            store.seal(NAME, len(content))
        except PayloadIncomplete:
            stage(store, NAME, (0, content))
            store.seal(NAME, len(content))

        assert store.read(NAME, 0, 2 * len(content)) == content
        assert stored(store).keys() == {(NAME, True)}
        store.delete(NAME)
    assert at_call > 8, "the operations make more calls than that"


def test_what_a_killed_writer_had_flushed_is_there_and_staging_goes_on(durable_place: Place) -> None:
    position = 0
    for _ in range(2):
        command = [sys.executable, "-m", "tests.support.payload_process"]
        command += [durable_place.kind, durable_place.address, NAME, str(position)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT_OF_REPOSITORY) as writer:
            assert writer.stdout is not None
            for _ in range(15):
                position = int(writer.stdout.readline())
            writer.kill()

    store = durable_place.open()
    assert store.read_staged(NAME, 0, position) == content_of(NAME, 64 << 20)[:position]
    store.seal(NAME, position)
    assert store.read(NAME, position - 9, position) == content_of(NAME, 64 << 20)[position - 9 : position]
