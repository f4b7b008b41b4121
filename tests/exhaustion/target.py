"""The service under attack: a CSS as a fresh one is, with an account of somebody honest and one of somebody who is not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.service_process import HOST, Service, free_port

ORG = "acme"
_ROOT = Path(__file__).resolve().parents[2]

#: Where honest callers are, and where the others come from.
HONEST_HOST = "127.0.0.1"
HOSTILE_HOSTS = tuple(f"127.0.0.{number}" for number in range(2, 10))


@dataclass(frozen=True, slots=True)
class Account:
    """Application key and secret."""

    key: str
    secret: str


HONEST = Account("honest", "a secret somebody chose")
HOSTILE = Account("hostile", "another secret somebody chose")


@dataclass(frozen=True, slots=True)
class Address:
    """What attackers know."""

    port: int
    host: str = HOST


class Target(Service):
    """A CSS on SQLite with default settings, but for the addresses: loopback is not trusted where attackers come from."""

    def __init__(self, directory: Path, settings: dict[str, object]) -> None:
        own = {
            "NodeType": "CSS",
            "ListeningType": "unsecure",
            "ListeningAddress": HOST,
            "UnsecureListeningPort": free_port(),
            "LogFormat": "plain",
            "UnlimitedAddresses": f"{HONEST_HOST}/32",
            **settings,
        }
        super().__init__("css", "css", directory, own)

    @property
    def address(self) -> Address:
        return Address(int(str(self.settings["UnsecureListeningPort"])))

    def add_accounts(self) -> None:
        """While it is stopped."""
        for account in (HONEST, HOSTILE):
            self._run(
                "account", "add", account.key, "--role", "admin", "--org", ORG, "--secret-stdin", text=account.secret
            )

    def forget_peak(self) -> None:
        """`peak_bytes` counts from now on."""
        Path(f"/proc/{self.process_id}/clear_refs").write_text("5")

    def peak_bytes(self) -> int:
        return self.memory_bytes("VmHWM")

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process_id}/fd"))  # noqa: PTH208 - of another process

    def _run(self, *arguments: str, text: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "css", "-c", str(self.config_path), *arguments],
            input=text,
            text=True,
            check=True,
            capture_output=True,
            cwd=self.directory,
            env=self._environment(),
        )


@contextmanager
def running_target(directory: Path, **settings: object) -> Iterator[Target]:
    """Started with its accounts, and killed in the end."""
    target = Target(directory, settings)
    try:
        target.start()
        target.stop()
        target.add_accounts()
        target.start()
        yield target
    finally:
        target.kill()
