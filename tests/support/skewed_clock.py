"""A process whose wall clock is wrong, for everything in it: Python, SQLite, OpenSSL."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")


def has_compiler() -> bool:
    return shutil.which("cc") is not None


def skewed_environment(directory: Path, at_seconds: int) -> dict[str, str]:
    """Variables with which a process starts at that time (seconds since 1970). Needs a C compiler."""
    library = directory / "skewed_clock.so"
    if not library.exists():
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, _SOURCE], check=True)
    return {"LD_PRELOAD": str(library), "SKEWED_CLOCK_AT": str(at_seconds)}
