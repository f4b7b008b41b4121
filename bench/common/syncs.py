"""How often processes really flush to disk, as the kernel sees it."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_CALL = re.compile(rb"\b(?:fsync|fdatasync)\(")
_ATTACH_SECONDS = 10.0


def can_count() -> bool:
    return shutil.which("strace") is not None


def count_syncs(pids: Sequence[int], work: Callable[[], None]) -> int:
    """How many times the processes, their threads and new children call fsync or fdatasync during `work`."""
    with tempfile.TemporaryDirectory(prefix="edgesync-strace-") as directory:
        trace = Path(directory) / "trace"
        attached = [argument for pid in pids for argument in ("-p", str(pid))]
        tracer = subprocess.Popen(
            ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(trace), *attached],
            stderr=subprocess.PIPE,
        )
        try:
            _wait_until_attached(tracer, len(pids))
            work()
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait()
        # A call that other threads interrupt is shown in two lines; only the first has the parenthesis.
        return sum(1 for line in trace.read_bytes().splitlines() if _CALL.search(line))


def _wait_until_attached(tracer: subprocess.Popen[bytes], count: int) -> None:
    assert tracer.stderr is not None
    deadline = time.monotonic() + _ATTACH_SECONDS
    while count and time.monotonic() < deadline:
        line = tracer.stderr.readline()
        if not line:
            raise RuntimeError("strace cannot attach")
        count -= b"attached" in line
