"""A service that ends itself, and may begin again."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn


class StopRequest:
    """Asks the process to stop in good order, as a supervisor would."""

    def __init__(self) -> None:
        #: Whether the service is to start again once it has stopped.
        self.is_restart = False

    def __call__(self, restart: bool) -> None:
        self.is_restart = restart
        os.kill(os.getpid(), signal.SIGTERM)


def start_again() -> NoReturn:
    """Become the program this process was started as, with the same arguments, environment and process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves
