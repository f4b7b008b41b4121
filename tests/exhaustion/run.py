"""Tries to exhaust a CSS in ten ways while an honest caller goes on asking, and shows what that caller noticed.

    python -m tests.exhaustion.run
    python -m tests.exhaustion.run --short
    python -m tests.exhaustion.run --only "slow bodies" --only "JSON bombs"

Real processes on loopback, SQLite, default settings; attackers come from other addresses than the honest caller, and
those that need credentials have an account of their own. Needs some 11,000 open files for the long run. Exit status 1
when a request of the honest caller failed, memory grew beyond the ceiling, or connections stayed open afterwards.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.exhaustion.attacks import ATTACKS
from tests.exhaustion.siege import Pace, Siege, besiege
from tests.exhaustion.target import running_target

#: Connections at a time or, for logins, attempts; in the long run and in the short one.
COUNTS = {
    "idle connections": (10_000, 500),
    "slow heads": (2_000, 200),
    "slow bodies": (1_000, 100),
    "endless uploads": (1_000, 100),
    "slow readers": (500, 50),
    "JSON bombs": (8, 4),
    "header floods": (50, 10),
    "range storms": (100, 20),
    "wrong logins": (100_000, 500),
    "request floods": (200, 20),
}
LONG = Pace(per_second=100, seconds=10)
SHORT = Pace(per_second=50, seconds=3)

#: What the service may grow to: 64 MB for JSON bodies, some 12 KB for each connection, the rest for itself.
CEILING_BYTES = 400 << 20


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.exhaustion.run", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--short", action="store_true", help="two minutes instead of ten")
    parser.add_argument("--only", action="append", choices=list(ATTACKS), help="this attack; may be repeated")
    options = parser.parse_args()
    pace = SHORT if options.short else LONG
    problems: list[str] = []
    _say(_HEADING)
    with (
        tempfile.TemporaryDirectory(prefix="edgesync-exhaustion-") as directory,
        running_target(Path(directory)) as target,
    ):
        for name in options.only or ATTACKS:
            siege = besiege(target, name, COUNTS[name][options.short], pace)
            _say(_line(siege))
            problems += problems_of(siege)
    for problem in problems:
        _say(f"BROKEN: {problem}")
    return 1 if problems else 0


def problems_of(siege: Siege) -> list[str]:
    """What should not have happened, whatever the machine and its speed."""
    problems = [
        f"{siege.name}: {experience.failures} honest requests failed {phase}: {dict(experience.outcomes)}"
        for phase, experience in (("before", siege.before), ("meanwhile", siege.during), ("afterwards", siege.after))
        if experience.failures
    ]
    if siege.peak_bytes > CEILING_BYTES:
        problems.append(f"{siege.name}: memory grew to {siege.peak_bytes >> 20} MB")
    if not siege.has_recovered:
        problems.append(f"{siege.name}: {siege.open_files_after} files are open, {siege.open_files_before} were before")
    return problems


_HEADING = (
    "| Attack | Count | p50 / p99 before | p50 / p99 meanwhile | p50 / p99 afterwards | Peak memory | Open files "
    "| What became of it |\n|---|---|---|---|---|---|---|---|"
)


def _line(siege: Siege) -> str:
    latencies = " | ".join(
        f"{each.percentile_ms(50):.1f} / {each.percentile_ms(99):.1f} ms"
        for each in (siege.before, siege.during, siege.after)
    )
    outcomes = ", ".join(f"{outcome}: {count}" for outcome, count in siege.outcomes.most_common(4))
    return (
        f"| {siege.name} | {siege.count:,} | {latencies} | {siege.peak_bytes >> 20} MB | {siege.most_open_files:,} "
        f"| {outcomes or 'held on'} |"
    )


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(main())
