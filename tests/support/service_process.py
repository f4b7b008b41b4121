"""A CSS or an ESS as the operating system sees it: a process with a configuration file, a port and a directory."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

import httpx

HOST = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
_POLL_SECONDS = 0.01
_ROOT = Path(__file__).resolve().parents[2]

#: Below the range from which the kernel takes ports for outgoing connections: nobody takes one while its service is down.
_PORTS = range(20_000, 32_000)


class ServiceFailed(Exception):
    """A service did not start or did not stop; the message ends with what it logged."""


class Service:
    """One service. It keeps its state and its address however often it is stopped, killed and started again.

    `module` is what `python -m` runs, `settings` are lines of the configuration file, written anew at each start.
    """

    def __init__(self, module: str, name: str, directory: Path, settings: Mapping[str, object]) -> None:
        self.module = module
        self.name = name
        self.directory = directory
        self.settings = dict(settings)
        #: What is passed to `subprocess.Popen` beyond the command.
        self.process_options: dict[str, object] = {}
        #: Variables of its environment beyond the usual ones.
        self.variables: dict[str, str] = {}
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def config_path(self) -> Path:
        return self.directory / "sync.conf"

    @property
    def state_directory(self) -> Path:
        return self.directory / "state"

    @property
    def log_path(self) -> Path:
        return self.directory / "service.log"

    @property
    def process_id(self) -> int:
        """Of the running process. Raises ServiceFailed when there is none."""
        if self._process is None:
            raise ServiceFailed(f"{self.name} is not running")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def base_url(self) -> str:
        scheme = "https" if self.settings["ListeningType"] in ("secure", "secure-unix") else "http"
        return f"{scheme}://{HOST}:{self.settings.get(f'{self._port_kind}ListeningPort', 80)}"

    @property
    def socket_path(self) -> Path | None:
        """Of the Unix socket, when the service listens on one."""
        is_unix = self.settings["ListeningType"] in ("unix", "secure-unix")
        return self.state_directory / str(self.settings["ListeningAddress"]) if is_unix else None

    def transport(self) -> httpx.HTTPTransport:
        """A client's way to the service, trusting nothing but the certificate the service made for itself."""
        trust: ssl.SSLContext | bool = False
        if self.base_url.startswith("https:"):
            trust = ssl.create_default_context(cafile=self.state_directory / "sync" / "certs" / "cert.pem")
        uds = str(self.socket_path) if self.socket_path else None
        return httpx.HTTPTransport(verify=trust, uds=uds)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process without waiting for it; its output goes to the log."""
        lines = {**self.settings, "PersistenceRootPath": self.state_directory}
        self.config_path.write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
        with self.log_path.open("ab") as log:
            log.write(f"--- start {self.starts}\n".encode())
            self._process = subprocess.Popen(
                [*_END_WITH_PARENT, sys.executable, "-m", self.module, "-c", str(self.config_path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=self._environment(),
                start_new_session=True,
                **self.process_options,  # type: ignore[call-overload]
            )
        self.starts += 1
        return self._process

    def start(self) -> float:
        """Start it and wait until it is ready; the seconds that took. Raises ServiceFailed."""
        began_at = time.monotonic()
        process = self.launch()
        while not self.is_ready():
            if process.poll() is not None or time.monotonic() > began_at + START_SECONDS:
                self.kill()
                raise ServiceFailed(f"{self.name} did not start:\n{self.end_of_log()}")
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - began_at

    def is_ready(self) -> bool:
        """Does `/readyz` say so?"""
        if not self._accepts_connections():
            return False
        with contextlib.suppress(httpx.HTTPError, OSError), self.transport() as transport:
            request = httpx.Request("GET", f"{self.base_url}/readyz", extensions={"timeout": _PROBE_TIMEOUT})
            return transport.handle_request(request).status_code == 200
        return False

    def stop(self, signal: Signals = SIGTERM, *, timeout_seconds: float = STOP_SECONDS) -> int:
        """Ask it to end and return its exit status. Raises ServiceFailed when it stays, after killing it."""
        process = self._process
        if process is None:
            raise ServiceFailed(f"{self.name} is not running")
        process.send_signal(signal)
        return self.wait(timeout_seconds)

    def wait(self, timeout_seconds: float = STOP_SECONDS) -> int:
        """The exit status of a process that ends by itself. Raises ServiceFailed when it does not, after killing it."""
        assert self._process is not None
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServiceFailed(f"{self.name} did not stop within {timeout_seconds} s:\n{self.end_of_log()}") from None
        finally:
            self._process = None

    def kill(self) -> None:
        """End it as a power cut of the process would; harmless when it is not running."""
        if self._process is not None:
            # Its whole session: a start that is killed may have a migration under way.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, SIGKILL)
            self._process.wait()
            self._process = None

    def restart(self) -> float:
        """Kill it and start it again; the seconds the start took."""
        self.kill()
        return self.start()

    def memory_bytes(self, field: str = "VmRSS") -> int:
        """A line of `/proc/PID/status`; VmHWM is the peak."""
        for line in Path(f"/proc/{self.process_id}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
        raise ServiceFailed(f"/proc does not tell {field} of {self.name}")

    def end_of_log(self, size_bytes: int = 4_000) -> str:
        return self.log_path.read_text(errors="replace")[-size_bytes:] if self.log_path.exists() else ""

    def _environment(self) -> dict[str, str]:
        # The services of this tree, wherever the environment has its own from.
        path = os.environ.get("PATH", os.defpath)
        return {
            "PATH": path,
            "PYTHONPATH": str(_ROOT),
            "HOME": str(self.directory),
            "LC_ALL": "C.UTF-8",
            **self.variables,
        }

    def _accepts_connections(self) -> bool:
        path, url = self.socket_path, httpx.URL(self.base_url)
        with socket.socket(socket.AF_UNIX if path else socket.AF_INET) as probe:
            return probe.connect_ex(str(path) if path else (url.host, url.port)) == 0

    @property
    def _port_kind(self) -> str:
        return "Secure" if self.settings["ListeningType"] == "secure" else "Unsecure"


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    for port in random.sample(_PORTS, 200):
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind((HOST, port))
            return port
    raise ServiceFailed("no free port found")


def _end_with_parent() -> Iterator[str]:
    """A command prefix: the kernel kills the service when the thread that started it ends, as far as it can do that."""
    prefix = ("setpriv", "--pdeathsig", "KILL")
    with contextlib.suppress(OSError):
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
            yield from prefix


_END_WITH_PARENT = tuple(_end_with_parent())
_PROBE_TIMEOUT = dict.fromkeys(("connect", "read", "write", "pool"), 2.0)
