"""A server process of the test run: its own directory, a free port of 127.0.0.1, an unprivileged user, a sure end."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from signal import Signals
from typing import ClassVar

HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
_POLL_SECONDS = 0.02


class ServerFailed(Exception):
    """A server did not start or did not answer in time; the message ends with what it logged."""


class ServerProcess(ABC):
    """One server that a test may start, stop, kill and start again on the same port with the same data.

    Servers refuse to run as root, so under root they run as `postgres` or `nobody`. They ask the kernel to end them
    when the test run dies, where the kernel can do that.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[Signals]

    def __init__(self) -> None:
        self.user = _unprivileged_user()
        self.directory = _private_directory(self.name, self.user)
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers; raises `ServerFailed`."""
        deadline = time.monotonic() + START_SECONDS
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*_END_WITH_PARENT[self.stop_signal], *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=self._environment(),
                user=self.user,
                group=_group_of(self.user),
                extra_groups=[] if self.user else None,
                # Ctrl-C is for the test run, which stops its servers after its tests.
                start_new_session=True,
            )
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ServerFailed(f"{self.name} did not start:\n{self._end_of_log()}")
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """End it in good order; harmless when it is not running."""
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End it as a power cut of the process would: no clean-up, no flush."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Stop it and delete its directory."""
        self.stop()
        shutil.rmtree(self.directory)

    @property
    def log_path(self) -> Path:
        return self.directory / "server.log"

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The program and its arguments; it must stay in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves clients now."""

    def run(self, command: Sequence[str]) -> None:
        """Run a helper program as the server's user; raises `ServerFailed` with what it printed."""
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=START_SECONDS,
            cwd=self.directory,
            env=self._environment(),
            user=self.user,
            group=_group_of(self.user),
            extra_groups=[] if self.user else None,
        )
        if done.returncode != 0:
            raise ServerFailed(f"{command[0]} failed:\n{done.stdout}")

    def accepts_connections(self) -> bool:
        """Whether something listens on the port."""
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
            return True
        return False

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.directory), "LC_ALL": "C"}

    def _end_of_log(self) -> str:
        return self.log_path.read_text(errors="replace")[-2000:]


def _unprivileged_user() -> str | None:
    """Whom the server runs as; None for the current user."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _group_of(user: str | None) -> int | None:
    return pwd.getpwnam(user).pw_gid if user else None


def _private_directory(name: str, user: str | None) -> Path:
    for parent in (tempfile.gettempdir(), "/var/tmp"):
        if user is None or _everyone_may_pass(Path(parent)):
            directory = Path(tempfile.mkdtemp(prefix=f"edgesync-{name}-", dir=parent))
            if user:
                shutil.chown(directory, user, _group_of(user))
            return directory
    raise ServerFailed(f"no temporary directory that user {user} can enter: set TMPDIR to one")


def _everyone_may_pass(directory: Path) -> bool:
    absolute = directory.resolve()
    return all(folder.stat().st_mode & 0o001 for folder in (absolute, *absolute.parents))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


class _ParentDeathPrefix(dict[Signals, list[str]]):
    """The command prefix by which a server gets that signal when the test run dies; empty where setpriv cannot."""

    def __missing__(self, signal: Signals) -> list[str]:
        prefix = ["setpriv", "--pdeathsig", signal.name.removeprefix("SIG")]
        try:
            supported = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
        except OSError:
            supported = False
        self[signal] = prefix if supported else []
        return self[signal]


_END_WITH_PARENT = _ParentDeathPrefix()
