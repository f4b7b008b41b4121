"""One CSS or ESS as a process of its own, with a directory, a configuration file and a log."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from scripts.lib.demo.failure import DemoFailed

ROOT = Path(__file__).resolve().parents[3]

START_SECONDS = 60.0
STOP_SECONDS = 30.0
_COMMAND_SECONDS = 120.0
_POLL_SECONDS = 0.02

#: Settings of the services can come from the environment; those of whoever runs the demo are not for it.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE")


@dataclass(frozen=True)
class Credentials:
    """What an application or node presents: user name and password of HTTP Basic authentication."""

    app_key: str
    secret: str = field(repr=False)


class Service:
    """A program of this repository (`css` or `ess`) with a directory below which it keeps everything."""

    def __init__(self, program: str, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.log_path = directory / "service.log"
        self._program = program
        self._config_path = directory / "sync.conf"
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(mode=0o700, parents=True)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def configure(self, settings: dict[str, object]) -> None:
        """Write the configuration file. It may hold a secret, so only its owner may read it."""
        lines = [f"{key} {value}\n" for key, value in {**settings, "PersistenceRootPath": self.directory}.items()]
        with os.fdopen(os.open(self._config_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.writelines(lines)

    def add_account(self, app_key: str, role: str, organization: str, identity: str = "") -> Credentials:
        """Let the service make an account with a random secret; it must not be running. Raises DemoFailed."""
        arguments = ["account", "add", app_key, "--role", role, "--org", organization]
        if identity:
            arguments += ["--identity", identity]
        done = subprocess.run(
            self._command(*arguments),
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        secret = re.search(r"^app secret: (\S+)$", done.stdout, re.MULTILINE)
        if done.returncode != 0 or secret is None:
            raise DemoFailed(f"{self.name}: the account {app_key} could not be added: {done.stderr.strip()}")
        return Credentials(app_key, secret[1])

    def start(self) -> None:
        """Start the process; `wait_until_serving` tells whether it came up."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=ROOT,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the demo, which then stops its services in order.
                start_new_session=True,
            )

    def wait_until_serving(self) -> None:
        """Raises DemoFailed when it does not listen within START_SECONDS."""
        deadline = time.monotonic() + START_SECONDS
        while not self._has_logged("serving"):
            self.check_alive()
            if time.monotonic() > deadline:
                raise DemoFailed(f"{self.name} did not start within {START_SECONDS:.0f} s", self.log_path)
            time.sleep(_POLL_SECONDS)

    def check_alive(self) -> None:
        """Raises DemoFailed when the process has ended by itself."""
        status = self._process.poll() if self._process else None
        if status is not None:
            raise DemoFailed(f"{self.name} ended by itself with exit status {status}", self.log_path)

    def ask_to_stop(self) -> None:
        """SIGTERM; harmless when it does not run."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait_until_stopped(self) -> int:
        """The exit status, 0 for a service that never ran; one that does not stop in time is killed."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", self._program, "-c", str(self._config_path), *arguments]

    def _has_logged(self, event: str) -> bool:
        for line in self.log_path.read_text(errors="replace").splitlines():
            try:
                if json.loads(line).get("event") == event:
                    return True
            except (ValueError, AttributeError):
                continue  # not a line of the log, or not all of it yet
        return False


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT)}
