"""How fast a CSS takes small objects: rate, latency and CPU at several concurrencies, and whether each 204 is durable.

python -m bench.publish [--engine sqlite|postgres] [--concurrency 1,8,64] [--seconds 8]
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench.common import client, syncs
from bench.common.baselines import bare_commits
from bench.common.command_line import numbers, parser_of
from bench.common.engines import Engine, running_engine
from bench.common.processes import CpuMeter, peak_resident_bytes
from bench.common.publishing import OBJECT_BYTES, requests_for
from bench.common.report import Report, percentile
from bench.common.services import Service, running

#: More than any engine takes per second; what is not sent in time is not sent.
_PREPARED_PER_SECOND = 6_000
_WARM_UP = 300
_TURNS = 10
_PER_TURN = 100
_COUNTED = {1: 200, 64: 3_000}


def measure(
    report: Report, engine: Engine, css: Service, concurrency: int, seconds: float, destination_type: str
) -> None:
    """One closed loop."""
    prepared = requests_for(destination_type, int(seconds * _PREPARED_PER_SECOND) if concurrency > 1 else 12_000)
    css_cpu, server_cpu = CpuMeter(lambda: [css.pid]), CpuMeter(engine.server_pids)
    run = client.closed_loop(css.port, prepared, concurrency, seconds)
    at_64 = concurrency == 64
    where = f"to {destination_type}, concurrency {concurrency}"
    report.add(f"{where}: rate", run.rate, "/s", at_least=3000 if at_64 else None)
    report.add(f"{where}: p50", percentile(run.latencies_seconds, 50) * 1e3, "ms")
    report.add(f"{where}: p99", percentile(run.latencies_seconds, 99) * 1e3, "ms")
    spent_ms = css_cpu.spent_seconds() * 1e3 / run.count
    report.add(f"{where}: CPU of the CSS", spent_ms, "ms/object", at_most=0.30 if at_64 else None)
    if engine.server_pid:
        report.add(f"{where}: CPU of the database server", server_cpu.spent_seconds() * 1e3 / run.count, "ms/object")
    report.add(f"{where}: CPU of the client", run.client_cpu_seconds * 1e3 / run.count, "ms/object")


def compare_with_bare_commits(report: Report, engine: Engine, css: Service) -> None:
    """One at a time; objects and bare commits take turns, because a disk that others use changes from second to second."""
    bare: list[float] = []
    puts: list[float] = []
    nothing: list[float] = []
    look = client.build("GET", "/livez")
    for _ in range(_TURNS):
        bare += bare_commits(engine, _PER_TURN)
        nothing += _round_trips(css, look)
        puts += client.closed_loop(css.port, requests_for("nobody", _PER_TURN), 1).latencies_seconds
    bare_ms, nothing_ms, put_ms = (percentile(each, 50) * 1e3 for each in (bare, nothing, puts))
    report.add("baseline: one bare durable commit of a 1 KB row, p50", bare_ms, "ms")
    report.add("baseline: a request that does nothing, p50", nothing_ms, "ms")
    report.add("one object at a time, in turns with bare commits: p50", put_ms, "ms")
    report.add("one object at a time: p50 / bare commit", put_ms / bare_ms, "x", at_most=1.5)
    report.add("one object at a time: p50 / (bare commit + empty request)", put_ms / (bare_ms + nothing_ms), "x")


def _round_trips(css: Service, request: bytes) -> list[float]:
    seconds = []
    with css.connection() as connection:
        for _ in range(_PER_TURN):
            started = time.perf_counter()
            connection.ask(request)
            seconds.append(time.perf_counter() - started)
    return seconds


def count_syncs(report: Report, engine: Engine, css: Service) -> None:
    """Flushes per acknowledged object, in runs of their own: a traced process is slower."""
    if not syncs.can_count():
        print("  strace is not installed: flushes are not counted")
        return
    for concurrency, count in _COUNTED.items():
        prepared = requests_for("nobody", count)

        def publish(prepared: list[bytes] = prepared, concurrency: int = concurrency) -> None:
            client.closed_loop(css.port, prepared, concurrency)

        flushed = syncs.count_syncs([css.pid, *engine.server_pids()], publish)
        report.add(
            f"concurrency {concurrency}: fsync and fdatasync calls for {count} objects",
            flushed,
            "calls",
            at_least=count if concurrency == 1 else count / 256,
        )


def run(engine_name: str, concurrencies: list[int], seconds: float) -> Report:
    report = Report("publish", engine_name)
    report.heading(f"publish of {OBJECT_BYTES} B objects, CSS on {engine_name}")
    with running_engine(engine_name) as engine, running("css", engine.directory / "css", engine.settings) as css:
        client.closed_loop(css.port, requests_for("nobody", _WARM_UP), 8)
        with css.connection() as connection:
            connection.ask(client.register_node("n1"))
        for destination_type, concurrency in _scenarios(concurrencies):
            measure(report, engine, css, concurrency, seconds, destination_type)
        compare_with_bare_commits(report, engine, css)
        report.add("peak memory of the CSS", peak_resident_bytes(css.pid) / 1e6, "MB")
        count_syncs(report, engine, css)
    report.save()
    return report


def _scenarios(concurrencies: list[int]) -> Iterator[tuple[str, int]]:
    """To a type without nodes at every concurrency; to a type with one node, which is silent, at the highest."""
    for concurrency in concurrencies:
        yield "nobody", concurrency
    yield client.NODE_TYPE, max(concurrencies)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--concurrency", type=numbers, default="1,8,64")
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    run(options.engine, options.concurrency, options.seconds)


if __name__ == "__main__":
    main()
