"""Finds the server programs the tests run: PostgreSQL 15 or newer, Mosquitto 2 or newer.

`python -m tests.support.server_binaries` prints the Debian package of each one that is missing, one per line, and
nothing when all are there. Standard library only, so that it works before the development dependencies do.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

POSTGRES_URL_VARIABLE = "EDGESYNC_TEST_POSTGRES_URL"
POSTGRES_BIN_VARIABLE = "EDGESYNC_TEST_POSTGRES_BIN"
MOSQUITTO_VARIABLE = "EDGESYNC_TEST_MOSQUITTO"

_OLDEST_POSTGRES = 15
_OLDEST_MOSQUITTO = 2
_POSTGRES_PROGRAMS = ("postgres", "initdb", "pg_ctl")
_POSTGRES_FOLDERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
_MOSQUITTO_FOLDERS = ("usr/sbin", "usr/local/sbin", "opt/homebrew/sbin")


class ServerMissing(Exception):
    """A server program that tests need is not installed; `package` is its Debian package."""

    def __init__(self, package: str, sentence: str) -> None:
        super().__init__(sentence)
        self.package = package


def find_postgres_bin() -> Path:
    """The folder with `postgres`, `initdb` and `pg_ctl`; raises `ServerMissing`."""
    for folder in _postgres_candidates():
        if all((folder / program).is_file() for program in _POSTGRES_PROGRAMS):
            major = _major_version([str(folder / "postgres"), "--version"], r"PostgreSQL\) (\d+)")
            if major >= _OLDEST_POSTGRES:
                return folder
    raise ServerMissing(
        "postgresql",
        f"PostgreSQL {_OLDEST_POSTGRES} or newer not found: install it (Debian: postgresql), "
        f"or set {POSTGRES_BIN_VARIABLE} to its bin folder",
    )


def find_mosquitto() -> Path:
    """The Mosquitto broker program; raises `ServerMissing`."""
    for program in _mosquitto_candidates():
        if program.is_file() and _major_version([str(program), "-h"], r"version (\d+)") >= _OLDEST_MOSQUITTO:
            return program
    raise ServerMissing(
        "mosquitto",
        f"Mosquitto {_OLDEST_MOSQUITTO} or newer not found: install it (Debian: mosquitto), "
        f"or set {MOSQUITTO_VARIABLE} to the program",
    )


def missing_servers() -> list[ServerMissing]:
    """Everything that a full test run needs and this machine lacks."""
    finders = [find_mosquitto]
    if POSTGRES_URL_VARIABLE not in os.environ:
        finders.append(find_postgres_bin)
    missing = []
    for find in finders:
        try:
            find()
        except ServerMissing as problem:
            missing.append(problem)
    return missing


def _postgres_candidates() -> Iterator[Path]:
    if given := os.environ.get(POSTGRES_BIN_VARIABLE):
        yield Path(given)
        return
    if on_path := shutil.which("postgres"):
        # Distributions put links on the PATH; initdb and the shared files lie beside the real program.
        yield Path(on_path).resolve().parent
    for pattern in _POSTGRES_FOLDERS:
        yield from sorted(Path("/").glob(pattern), key=_numbers, reverse=True)


def _mosquitto_candidates() -> Iterator[Path]:
    if given := os.environ.get(MOSQUITTO_VARIABLE):
        yield Path(given)
        return
    if on_path := shutil.which("mosquitto"):
        yield Path(on_path)
    yield from (Path("/") / folder / "mosquitto" for folder in _MOSQUITTO_FOLDERS)


def _major_version(command: list[str], pattern: str) -> int:
    """The number that `pattern` captures in what the command prints; 0 when it does not run or prints something else."""
    try:
        # Mosquitto answers `-h` with a non-zero status.
        printed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(pattern, printed.stdout + printed.stderr)
    return int(found[1]) if found else 0


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]


if __name__ == "__main__":
    for server in missing_servers():
        print(server.package)
