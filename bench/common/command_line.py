"""What the commands have in common."""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

from bench.common.engines import ENGINES


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """A parser with `--engine`. From here on SIGTERM ends the program in order: it stops what it has started."""
    signal.signal(signal.SIGTERM, _leave)
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, default="sqlite", help="database of the CSS")
    return parser


def numbers(text: str) -> list[int]:
    """`1,8,64` as numbers."""
    return [int(each) for each in text.split(",")]


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
