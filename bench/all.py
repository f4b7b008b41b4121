"""Every benchmark, one after the other.

    python -m bench.all [--engine sqlite|postgres] [--quick]

`--quick` shows in a few minutes that everything works; its figures are no evidence.
"""

from __future__ import annotations

from collections.abc import Callable

from bench import backlog, fanout, footprint, listeners, lists, notify, publish, transfer
from bench.common.command_line import parser_of
from bench.common.report import Figure, Report


def _quick(engine: str) -> list[Callable[[], Report]]:
    return [
        lambda: footprint.run(engine, 2, 2),
        lambda: notify.run(engine, 50, 10),
        lambda: publish.run(engine, [1, 64], 2),
        lambda: fanout.run(engine, [10, 100], 1_000),
        lambda: transfer.run(engine, [100]),
        lambda: backlog.run(engine, 5_000),
        lambda: lists.run(engine, 1_000, 100, 5),
        lambda: listeners.run(engine, 100, 5, 5),
    ]


def _complete(engine: str) -> list[Callable[[], Report]]:
    return [
        lambda: footprint.run(engine, 5, 10),
        lambda: notify.run(engine, 500, 60),
        lambda: publish.run(engine, [1, 8, 64], 8),
        lambda: fanout.run(engine, [10, 100, 1000], 10_000),
        lambda: transfer.run(engine, [100, 1000, 2000]),
        lambda: backlog.run(engine, 100_000),
        lambda: lists.run(engine, 10_000, 1_000, 30),
        lambda: listeners.run(engine, 1_000, 20, 30),
    ]


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    benchmarks = _quick(options.engine) if options.quick else _complete(options.engine)
    missed: list[tuple[str, Figure]] = []
    for benchmark in benchmarks:
        report = benchmark()
        missed += [(report.program, figure) for figure in report.figures if figure.verdict == "MISSED"]
    print(f"\n{len(missed)} targets missed")
    for program, figure in missed:
        print(f"  {program}: {figure.what}: {figure.value:.3g} {figure.unit}, target {figure.target}")


if __name__ == "__main__":
    main()
