"""What was published and what every reader saw of it; everything that breaks a promise is written down."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import NamedTuple

from tests.support.contents import Content


class Key(NamedTuple):
    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type}/{self.id}"


class Ledger:
    """One per run, shared by all its threads. A reader is a node's application, or that of the cloud."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[Key, dict[str, int]] = defaultdict(dict)
        self._acknowledged: dict[Key, int] = {}
        #: By reader and object: the newest instance listed, the newest one consumed, the newest version read.
        self._listed: dict[tuple[str, Key], int] = {}
        self._consumed: dict[tuple[str, Key], int] = {}
        self._read: dict[tuple[str, Key], int] = {}
        self._used_up: dict[tuple[str, Key], int] = {}
        self.violations: list[str] = []
        self.publications = 0
        self.consumptions = 0

    def offer(self, key: Key, content: Content) -> None:
        """The publisher is about to send it: from now on it may be seen."""
        with self._lock:
            self._versions[key][content.digest] = content.version

    def acknowledge(self, key: Key, version: int) -> None:
        """The service answered 204: it has to arrive."""
        with self._lock:
            self._acknowledged[key] = version
            self.publications += 1

    def see(self, reader: str, key: Key, instance: int) -> None:
        """The list of updated objects shows it."""
        with self._lock:
            if instance <= self._consumed.get((reader, key), 0):
                self._violate(f"{reader} is shown {key} instance {instance} again, which it has consumed")
            if instance < self._listed.get((reader, key), 0):
                self._violate(f"{reader} is shown {key} instance {instance} after a newer one")
            self._listed[reader, key] = instance

    def read(self, reader: str, key: Key, digest: str) -> int:
        """Its data was read; the version, or 0 when it is none."""
        with self._lock:
            version = self._versions[key].get(digest, 0)
            if not version:
                self._violate(f"{reader} read data of {key} that nobody published")
            elif version < self._read.get((reader, key), 0):
                self._violate(f"{reader} read version {version} of {key} after {self._read[reader, key]}")
            self._read[reader, key] = max(version, self._read.get((reader, key), 0))
            return version

    def consume(self, reader: str, key: Key, instance: int, version: int) -> None:
        """Its consumption was answered with 204."""
        with self._lock:
            self._consumed[reader, key] = instance
            self._used_up[reader, key] = version
            self.consumptions += 1

    def is_used_up(self, key: Key, readers: list[str]) -> bool:
        """Have all of them read and consumed the version acknowledged last?"""
        with self._lock:
            version = self._acknowledged.get(key)
            return version is None or all(self._used_up.get((reader, key)) == version for reader in readers)

    def missing(self, key: Key, readers: list[str]) -> list[str]:
        """What `is_used_up` waits for, in words."""
        with self._lock:
            version = self._acknowledged.get(key)
            return [
                f"{reader} consumed version {self._used_up.get((reader, key))} of {key}, not {version}"
                for reader in readers
                if self._used_up.get((reader, key)) != version
            ]

    def _violate(self, sentence: str) -> None:
        self.violations.append(sentence)
