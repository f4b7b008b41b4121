"""The demo, as a newcomer runs it, with a small file."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "scripts.lib.demo"]
PATIENCE_SECONDS = 100


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the demo makes its own directory."""
    directory = tmp_path / "tmp"
    directory.mkdir()
    return directory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a file.bin"
    path.write_bytes(os.urandom(6_000_001))
    return path


@contextmanager
def started(place: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "TMPDIR": str(place)}
    demo = subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=ROOT,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with demo:
        try:
            yield demo
        finally:
            demo.terminate()


def output_until(demo: "subprocess.Popen[str]", wanted: str) -> None:
    assert demo.stdout is not None
    assert any(wanted in line for line in demo.stdout), f"the demo ended without saying {wanted!r}"


def rest_of(demo: "subprocess.Popen[str]") -> str:
    return demo.communicate(timeout=PATIENCE_SECONDS)[0]


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def eventually_gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 20
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(is_running, pids))


def test_everything_arrives_and_nothing_is_left_behind(place: Path, file: Path) -> None:
    with started(place, str(file)) as demo:
        output = rest_of(demo)

    assert demo.returncode == 0, output
    rows = [re.split(r"\s{2,}", line.strip())[:4] for line in output.splitlines()]
    for node in ("camera:cam-1", "camera:cam-2"):
        assert [node, "model/a_file.bin", "consumed", "6,000,001"] in rows
        assert [node, "settings/site", "consumed", "48"] in rows
    assert ["gateway:gw-1", "model/a_file.bin", "not addressed", "-"] in rows
    assert ["gateway:gw-1", "settings/site", "consumed", "48"] in rows
    assert ["cloud, from camera:cam-1", "snapshot/cam-1", "consumed", "1,048,576"] in rows
    assert list(place.iterdir()) == []


def test_kept_services_answer_the_commands_it_prints(place: Path, file: Path) -> None:
    with started(place, "--keep", str(file)) as demo:
        output = rest_of(demo)
    stopping = re.search(r"^  kill ([\d ]+); ", output, re.MULTILINE)
    assert stopping, output
    pids = [int(pid) for pid in stopping[1].split()]
    try:
        assert demo.returncode == 0
        assert len(list(filter(is_running, pids))) == 4
        commands = re.findall(r"^  (curl .*)$", output, re.MULTILINE)
        statuses = [status_of(command) for command in commands]
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)

    assert statuses == ["200", "200", "204", "204", "200", "200", "204", "200"]
    assert eventually_gone(pids)


def status_of(command: str) -> str:
    """Repeated for a moment while the answer is 404: what was published is on its way to the edge."""
    status = ""
    deadline = time.monotonic() + 20
    while status in ("", "404") and time.monotonic() < deadline:
        time.sleep(0.05)
        quiet = [*shlex.split(command), "-sS", "-o", os.devnull, "-w", "%{http_code}"]
        status = subprocess.run(quiet, capture_output=True, text=True, check=True, timeout=30).stdout
    return status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_and_everything_it_started(place: Path, file: Path, number: signal.Signals) -> None:
    with started(place, str(file)) as demo:
        output_until(demo, "Running")
        services = children_of(demo.pid)
        demo.send_signal(number)
        output = rest_of(demo)

    assert demo.returncode == 128 + number, output
    assert len(services) == 4
    assert eventually_gone(services)
    assert list(place.iterdir()) == []


def test_a_service_that_dies_is_a_failure_that_shows_its_log(place: Path, file: Path) -> None:
    with started(place, str(file)) as demo:
        output_until(demo, "Running")
        services = children_of(demo.pid)
        os.kill(services[-1], signal.SIGKILL)
        output = rest_of(demo)

    assert demo.returncode == 1, output
    assert '"event": "serving"' in output
    assert eventually_gone(services)


def test_a_file_that_is_not_there_is_said_at_once(place: Path) -> None:
    with started(place, "no-such-file") as demo:
        output = rest_of(demo)

    assert (demo.returncode, list(place.iterdir())) == (2, [])
    assert "no-such-file is not a file" in output


def test_its_help_needs_no_environment(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "demo", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert "scripts/demo FILE" in done.stdout
    assert "set -" not in done.stdout
