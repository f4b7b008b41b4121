"""Kills services at random moments while objects travel, and checks that nothing is lost, torn, repeated or sent twice.

    python -m tests.crash.run --engine sqlite --kills 100
    python -m tests.crash.run --engine postgres --kills 100 --seed 7

One cloud and two edges, real processes. Publishers send large objects in pieces, a stream of small ones, and objects up
from an edge; applications read, verify and consume. Exit status 1 when a promise was broken. The same seed makes the
same choices, at moments that differ.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.crash.report import MIB, Plan
from tests.crash.scenario import prepared
from tests.support.servers import running_postgres


def main() -> int:
    """Run the command line; returns the exit status."""
    arguments = _arguments()
    plan = Plan(
        arguments.kills,
        arguments.seed,
        large_bytes=arguments.large_mib * MIB,
        bytes_per_second=arguments.link_mib_per_second * MIB,
    )
    _say(f"engine {arguments.engine}, seed {plan.seed}")
    with ExitStack() as resources:
        database_url = None
        if arguments.engine == "postgres":
            database_url = resources.enter_context(resources.enter_context(running_postgres()).database())
        directory = arguments.directory or resources.enter_context(
            tempfile.TemporaryDirectory(prefix="edgesync-crash-")
        )
        scenario = resources.enter_context(prepared(Path(directory), database_url, plan))
        report = scenario.perform(_say)
        for line in report.lines():
            _say(line)
        return 1 if report.problems else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.run", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--engine", choices=["sqlite", "postgres"], default="sqlite", help="database of the cloud")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--large-mib", type=int, default=200, help="size of the large objects")
    parser.add_argument("--link-mib-per-second", type=int, default=120, help="speed of each connection")
    parser.add_argument("--directory", help="where to leave logs and databases; by default nothing is left")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command line prints


if __name__ == "__main__":
    sys.exit(main())
