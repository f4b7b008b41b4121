"""Why a demo ends before it has shown everything."""

from __future__ import annotations

from pathlib import Path


class DemoFailed(Exception):
    """Something is not as it should be. `log_path` is the log of the process concerned, if one is."""

    def __init__(self, message: str, log_path: Path | None = None) -> None:
        super().__init__(message)
        self.log_path = log_path


class Stopped(BaseException):
    """A signal asked the demo to end. No Exception: nothing on the way may take it for a failure of its own."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
