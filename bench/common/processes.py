"""What a process costs: CPU time, memory, children. Read from the kernel, not from the process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_PROC = Path("/proc")
_SCHEDULER_CLOCK = 2


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads so far, to the nanosecond; ended children are not in it."""
    return time.clock_gettime((~pid << 3) | _SCHEDULER_CLOCK)


class CpuMeter:
    """CPU seconds that processes spend from now on, those included that start meanwhile and left out those that end."""

    def __init__(self, list_pids: Callable[[], Iterable[int]]) -> None:
        self._list_pids = list_pids
        self._started = {pid: _cpu_seconds_or_none(pid) or 0.0 for pid in list_pids()}

    def spent_seconds(self) -> float:
        """Seconds since the meter was made."""
        now = ((pid, _cpu_seconds_or_none(pid)) for pid in self._list_pids())
        return sum(seconds - self._started.get(pid, 0.0) for pid, seconds in now if seconds is not None)


def resident_bytes(pid: int) -> int:
    return _status_bytes(pid, "VmRSS")


def peak_resident_bytes(pid: int) -> int:
    return _status_bytes(pid, "VmHWM")


def proportional_bytes(pid: int) -> int:
    """Resident memory with shared pages divided among their users (PSS)."""
    return _field_bytes(_PROC / str(pid) / "smaps_rollup", "Pss")


def with_children(pid: int) -> list[int]:
    """The process and all its descendants."""
    children = _children_by_parent()
    found = [pid]
    for each in found:
        found.extend(children.get(each, ()))
    return found


def parent_of(pid: int) -> int:
    return int(_stat_fields(pid)[1])


def _children_by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(parent_of(int(entry.name)), []).append(int(entry.name))
            except OSError:
                continue  # ended meanwhile
    return children


def _stat_fields(pid: int) -> list[str]:
    """The fields of `/proc/PID/stat` after the name, which may contain anything."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _status_bytes(pid: int, name: str) -> int:
    return _field_bytes(_PROC / str(pid) / "status", name)


def _field_bytes(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"{path} does not say {name}")


def _cpu_seconds_or_none(pid: int) -> float | None:
    try:
        return cpu_seconds(pid)
    except OSError:
        return None


def describe_machine() -> dict[str, object]:
    """What a reader needs to compare figures."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in (_PROC / "cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        os.uname().machine,
    )
    return {
        "cores": os.cpu_count(),
        "cpu": model,
        "kernel": os.uname().release,
        "load_average": os.getloadavg()[0],
    }
