"""One cloud and three edges on this machine, and what they do for each other. Run by scripts/demo."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from scripts.lib.demo.failure import DemoFailed, Stopped
from scripts.lib.demo.keeping import hints
from scripts.lib.demo.payload import Payload, largest_file_of_python, read_payload
from scripts.lib.demo.screen import megabytes, say
from scripts.lib.demo.site import Site, prepare_site
from scripts.lib.demo.story import Story

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SHOWN_LOG_LINES = 15


def main() -> int:
    arguments = _parser().parse_args()
    try:
        payload = read_payload(arguments.file or largest_file_of_python())
    except OSError as error:
        return _complain(f"cannot read {error.filename}: {error.strerror}", 2)
    for number in _SIGNALS:
        signal.signal(number, _stop)
    directory = Path(tempfile.mkdtemp(prefix="edgesync-demo-"))
    try:
        _run(directory, payload, keep=arguments.keep)
    except DemoFailed as error:
        _show_log(error.log_path)
        return _complain(f"{error}\nData and logs are left in {directory}", 1)
    except Stopped as stop:
        shutil.rmtree(directory)
        return _complain("stopped before the end", 128 + stop.signal_number)
    if not arguments.keep:
        shutil.rmtree(directory)
    return 0


def _run(directory: Path, payload: Payload, *, keep: bool) -> None:
    say(f"File: {payload.path} ({megabytes(payload.size_bytes)})")
    say("Preparing one cloud (CSS) and three edges (ESS), each with accounts and a configuration of its own ...")
    site = prepare_site(directory)
    story = Story(site, payload)
    with _stopped_at_the_end(site, keep=keep):
        site.start()
        say("Running; the applications on the edges wait for their objects.\n")
        story.tell()
    say("\nEverything arrived where it was addressed, verified by SHA-256, and nowhere else.")
    say(hints(site, story.model, directory) if keep else "All services stopped in good order.")


@contextmanager
def _stopped_at_the_end(site: Site, *, keep: bool) -> Iterator[None]:
    """Stop the services, unless all went well and they are to be kept."""
    try:
        yield
    except BaseException:
        _stop_for_sure(site)
        raise
    if not keep:
        _ignore_signals()
        site.stop()


def _stop_for_sure(site: Site) -> None:
    _ignore_signals()
    try:
        site.stop()
    except DemoFailed as error:
        _complain(str(error), 1)  # what happened first is what is reported


def _ignore_signals() -> None:
    """From here on the demo is about to end anyway, and stopping is bounded."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)


def _show_log(path: Path | None) -> None:
    if path is not None and path.exists():
        say(f"\nThe last lines of {path}:")
        for line in path.read_text(errors="replace").splitlines()[-_SHOWN_LOG_LINES:]:
            say(f"  {line}")


def _complain(text: str, exit_status: int) -> int:
    sys.stderr.write(f"demo: {text}\n")
    return exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.rpartition(" Run by")[0])
    parser.add_argument(
        "file",
        nargs="?",
        type=_regular_file,
        metavar="FILE",
        help="what to send (default: the largest file of the Python installation that runs this)",
    )
    parser.add_argument("--keep", action="store_true", help="leave everything running and print commands to try")
    return parser


def _regular_file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a file")
    return path


if __name__ == "__main__":
    sys.exit(main())
