"""Does a pile of pending objects for a silent node slow down those who publish? Are its polls bounded?

python -m bench.backlog [--engine sqlite|postgres] [--objects 100000]
"""

from __future__ import annotations

import json
import time
from typing import NamedTuple

from bench.common import client
from bench.common.client import LoadRun
from bench.common.command_line import parser_of
from bench.common.engines import Engine, running_engine
from bench.common.processes import CpuMeter, peak_resident_bytes
from bench.common.publishing import requests_for
from bench.common.report import Report, percentile
from bench.common.services import Service, running

_CONCURRENCY = 64
_SLICES = 10
_POLLS = 20
_LEAST_CONTROL = 1000
#: Slices that make up the start, and the end: one alone says too little on a machine with neighbours.
_ENDS = 2


class _Slice(NamedTuple):
    with_backlog: LoadRun
    #: Per object, in the CSS and in its database server.
    cpu_milliseconds: float
    without: LoadRun


def run(engine_name: str, objects: int) -> Report:
    report = Report("backlog", engine_name)
    report.heading(f"{objects} objects for a silent node, CSS on {engine_name}")
    with (
        running_engine(engine_name) as engine,
        running_engine(engine_name) as control_engine,
        running("css", engine.directory / "css", engine.settings) as css,
        running("css", control_engine.directory / "css", control_engine.settings) as control,
    ):
        for each in (css, control):
            with each.connection() as connection:
                connection.ask(client.register_node("silent"))
            client.closed_loop(each.port, requests_for("nobody", 1000), _CONCURRENCY)
        _measure_publishing(report, engine, css, control, objects)
        _measure_polls(report, css)
        report.add("peak RSS of the CSS", peak_resident_bytes(css.pid) / 1e6, "MB")
    report.save()
    return report


def _measure_publishing(report: Report, engine: Engine, css: Service, control: Service, objects: int) -> None:
    """In slices, each followed by a short one on a CSS without a backlog: neighbours on the machine slow both alike."""
    slices: list[_Slice] = []
    size = objects // _SLICES
    for number in range(_SLICES):
        prepared, prepared_control = (
            requests_for(client.NODE_TYPE, count) for count in (size, max(_LEAST_CONTROL, size // 5))
        )
        cpu = CpuMeter(lambda: [css.pid, *engine.server_pids()])
        run = client.closed_loop(css.port, prepared, _CONCURRENCY)
        spent_ms = cpu.spent_seconds() * 1e3 / size
        without = client.closed_loop(control.port, prepared_control, _CONCURRENCY)
        slices.append(_Slice(run, spent_ms, without))
        print(
            f"    {(number + 1) * size:>7} pending: {run.rate:,.0f}/s, {spent_ms:.3f} CPU ms; "
            f"without a backlog {without.rate:,.0f}/s",
            flush=True,
        )
    start, end = slices[:_ENDS], slices[-_ENDS:]
    report.add(f"rate of the first {size}", slices[0].with_backlog.rate, "/s")
    report.add(f"rate of the last {size}", slices[-1].with_backlog.rate, "/s")
    report.add("rate at the end / at the start", _rate(end) / _rate(start), "x")
    report.add(
        "the same, each relative to a CSS without a backlog",
        (_rate(end) / _control_rate(end)) / (_rate(start) / _control_rate(start)),
        "x",
        at_least=0.8,
    )
    cpu_growth = sum(each.cpu_milliseconds for each in end) / sum(each.cpu_milliseconds for each in start)
    report.add("CPU per object at the end / at the start", cpu_growth, "x", at_most=1.25)
    report.add("p99 of the last slice", percentile(slices[-1].with_backlog.latencies_seconds, 99) * 1e3, "ms")


def _rate(slices: list[_Slice]) -> float:
    return sum(each.with_backlog.count for each in slices) / sum(each.with_backlog.elapsed_seconds for each in slices)


def _control_rate(slices: list[_Slice]) -> float:
    return sum(each.without.count for each in slices) / sum(each.without.elapsed_seconds for each in slices)


def _measure_polls(report: Report, css: Service) -> None:
    """The node wakes up and asks what there is, page after page, without acknowledging anything."""
    sizes: list[int] = []
    counts: list[int] = []
    seconds: list[float] = []
    cpu = CpuMeter(lambda: [css.pid])
    with css.connection() as connection:
        for _ in range(_POLLS):
            started = time.perf_counter()
            body = connection.ask(client.poll("silent")).body
            seconds.append(time.perf_counter() - started)
            sizes.append(len(body))
            counts.append(len(json.loads(body)) if body else 0)
    spent_ms = cpu.spent_seconds() * 1e3
    report.add("poll answer: items, at most", max(counts), "items", at_most=1000)
    report.add("poll answer: size, at most", max(sizes) / 1e3, "KB")
    report.add("poll answer: p50", percentile(seconds, 50) * 1e3, "ms")
    report.add("poll answer: CPU of the CSS per item", spent_ms / max(1, sum(counts)), "ms")


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--objects", type=int, default=100_000)
    options = parser.parse_args()
    run(options.engine, options.objects)


if __name__ == "__main__":
    main()
