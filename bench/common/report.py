"""Results: a table for people, a line of JSON per figure for comparison."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.common.processes import describe_machine
from bench.common.services import ROOT

_RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number, and what was hoped for."""

    what: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def verdict(self) -> str:
        if self.at_most is None and self.at_least is None:
            return ""
        is_met = (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )
        return "ok" if is_met else "MISSED"

    @property
    def target(self) -> str:
        bounds = [f"≤ {_shown(self.at_most)}" if self.at_most is not None else ""]
        bounds += [f"≥ {_shown(self.at_least)}" if self.at_least is not None else ""]
        return " ".join(filter(None, bounds))


@dataclass(slots=True)
class Report:
    """The figures of one program."""

    program: str
    engine: str = ""
    figures: list[Figure] = field(default_factory=list)

    def add(
        self, what: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None
    ) -> None:
        """Record a figure and show it at once."""
        figure = Figure(what, value, unit, at_most, at_least)
        self.figures.append(figure)
        print(_line(figure), flush=True)

    def heading(self, text: str) -> None:
        """Begin a section; says so when others use the machine, which makes every time worse and CPU time less so."""
        print(f"\n{text}", flush=True)
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
        if load > cores:
            print(f"  the machine is busy: load average {load:.1f} on {cores} cores")

    def save(self) -> Path:
        """Append to `bench/results/PROGRAM.jsonl`; where that is."""
        _RESULTS.mkdir(exist_ok=True)
        path = _RESULTS / f"{self.program}.jsonl"
        common = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "commit": _commit(),
            "engine": self.engine,
            **describe_machine(),
        }
        with path.open("a", encoding="utf-8") as file:
            for figure in self.figures:
                file.write(json.dumps({**common, **asdict(figure), "verdict": figure.verdict}) + "\n")
        return path


def percentile(values: Sequence[float], percent: float) -> float:
    """Of a non-empty sequence, by nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def _line(figure: Figure) -> str:
    return (
        f"  {figure.what:<62} {_shown(figure.value):>10} {figure.unit:<9} {figure.target:<10} {figure.verdict}".rstrip()
    )


def _shown(value: float) -> str:
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
