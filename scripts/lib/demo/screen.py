"""What the demo shows: sentences, a progress line per participant, a table."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Sequence

_REDRAW_SECONDS = 0.05


class Board:
    """One line per participant: redrawn in place on a terminal, written once per step elsewhere. For any thread."""

    def __init__(self, names: Sequence[str]) -> None:
        self._lines = dict.fromkeys(names, "")
        self._width = max(map(len, names))
        self._lock = threading.Lock()
        self._is_terminal = sys.stdout.isatty()
        self._drawn_lines = 0
        self._drawn_at = 0.0

    def step(self, name: str, text: str) -> None:
        """Something happened to `name`."""
        with self._lock:
            self._lines[name] = text
            if self._is_terminal:
                self._draw()
            else:
                say(self._line(name))

    def tick(self, name: str, text: str) -> None:
        """Something is getting on: shown on a terminal only, and not more often than an eye can follow."""
        with self._lock:
            self._lines[name] = text
            if self._is_terminal and time.monotonic() - self._drawn_at >= _REDRAW_SECONDS:
                self._draw()

    def _draw(self) -> None:
        columns = shutil.get_terminal_size().columns
        up = f"\x1b[{self._drawn_lines}A" if self._drawn_lines else ""
        rows = [f"\x1b[2K{self._line(name)[: columns - 1]}\n" for name in self._lines]
        sys.stdout.write(up + "".join(rows))
        sys.stdout.flush()
        self._drawn_lines, self._drawn_at = len(rows), time.monotonic()

    def _line(self, name: str) -> str:
        return f"  {name:<{self._width}}  {self._lines[name]}"


def say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def bar(done: int, total: int) -> str:
    """`[#####.....]  50 %`"""
    share = done / total if total else 1.0
    return f"[{'#' * int(share * 20):.<20}] {share:4.0%}"


def megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right_aligned: int) -> str:
    """Columns as wide as they need to be; the last `right_aligned` of them hold numbers."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    first_number = len(header) - right_aligned

    def line(row: Sequence[str]) -> str:
        cells = [
            text.rjust(width) if column >= first_number else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  " + "  ".join(cells).rstrip()

    return "\n".join(map(line, [header, *rows]))
