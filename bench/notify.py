"""How soon an edge application sees what was published to an idle pair, and what the pair costs while idle.

python -m bench.notify [--engine sqlite|postgres] [--trials 500] [--idle-seconds 60]
"""

from __future__ import annotations

import os
import random
import time

from bench.common import client
from bench.common.client import Connection, build
from bench.common.command_line import parser_of
from bench.common.counting_proxy import CountingProxy
from bench.common.engines import Engine, running_engine
from bench.common.processes import CpuMeter
from bench.common.report import Report, percentile
from bench.common.services import Service, edge_settings, running, wait_until_linked

_NODE = "n1"
_TYPE = "notice"
_LOOP_SECONDS = 0.005
_SETTLING_SECONDS = 3.0


def run(engine_name: str, trials: int, idle_seconds: float) -> Report:
    report = Report("notify", engine_name)
    report.heading(f"notification, CSS on {engine_name}")
    with running_engine(engine_name) as engine, running("css", engine.directory / "css", engine.settings) as css:
        with running("ess", engine.directory / "ess", edge_settings(_NODE, css.port)) as ess:
            wait_until_linked(css, _NODE)
            _measure_latency(report, css, ess, trials)
        _measure_idle(report, engine, css, idle_seconds)
    report.save()
    return report


def _measure_latency(report: Report, css: Service, ess: Service, trials: int) -> None:
    seen: list[float] = []
    acknowledged: list[float] = []
    with css.connection() as cloud, ess.connection() as edge:
        for trial in range(-5, trials):
            time.sleep(random.uniform(0.05, 0.1))  # noqa: S311 - so that no rhythm of the pair is met or missed
            to_answer, to_application = _one_trial(cloud, edge, f"x{trial}")
            if trial >= 0:
                acknowledged.append(to_answer * 1e3)
                seen.append(to_application * 1e3)
    report.add(f"PUT of 1 KB answered, p50 of {trials}", percentile(acknowledged, 50), "ms")
    report.add("PUT of 1 KB seen by a 5 ms loop on the edge, median", percentile(seen, 50), "ms", at_most=25)
    report.add("the same, p99", percentile(seen, 99), "ms", at_most=100)
    report.add("the same, longest", max(seen), "ms")


def _one_trial(cloud: Connection, edge: Connection, object_id: str) -> tuple[float, float]:
    """Seconds from the PUT to its answer, and to the object being in the application's hands, data included."""
    data = os.urandom(1024)
    put = client.put_object(_TYPE, object_id, data, destinationType=client.NODE_TYPE)
    look = build("GET", f"/api/v1/objects/{_TYPE}")
    read = build("GET", client.object_path(_TYPE, object_id, "data", has_org=False))
    started = time.perf_counter()
    cloud.ask(put)
    answered = time.perf_counter()
    while edge.ask(look).status != 200:
        if time.perf_counter() - started > 30:
            raise TimeoutError(object_id)
        time.sleep(_LOOP_SECONDS)
    got = edge.ask(read).body
    seen = time.perf_counter()
    if got != data:
        raise AssertionError(f"{object_id} arrived with other data")
    edge.ask(build("PUT", client.object_path(_TYPE, object_id, "consumed", has_org=False)))
    return answered - started, seen - started


def _measure_idle(report: Report, engine: Engine, css: Service, idle_seconds: float) -> None:
    """The same node again, now through a proxy that counts."""
    proxy = CountingProxy(css.port)
    with running("ess", engine.directory / "ess", edge_settings(_NODE, proxy.port)) as ess:
        time.sleep(_SETTLING_SECONDS)
        requests, started = proxy.requests, time.monotonic()
        css_cpu, ess_cpu = CpuMeter(lambda: [css.pid]), CpuMeter(lambda: [ess.pid])
        time.sleep(idle_seconds)
        elapsed = time.monotonic() - started
        report.add(
            f"idle for {elapsed:.0f} s: CPU of the CSS", css_cpu.spent_seconds() / elapsed * 100, "%", at_most=0.3
        )
        report.add(
            f"idle for {elapsed:.0f} s: CPU of the ESS", ess_cpu.spent_seconds() / elapsed * 100, "%", at_most=0.3
        )
        # One request may begin in any interval, however short.
        report.add(
            f"idle for {elapsed:.0f} s: requests of the ESS",
            proxy.requests - requests,
            "requests",
            at_most=elapsed // 25 + 1,
        )
    proxy.close()


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--idle-seconds", type=float, default=60.0)
    options = parser.parse_args()
    run(options.engine, options.trials, options.idle_seconds)


if __name__ == "__main__":
    main()
