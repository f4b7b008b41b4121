"""What an idle CSS and an idle ESS weigh, and how soon they answer.

python -m bench.footprint [--engine sqlite|postgres] [--starts 5] [--idle-seconds 10]
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench.common import client
from bench.common.client import build
from bench.common.command_line import parser_of
from bench.common.engines import running_engine
from bench.common.processes import cpu_seconds, peak_resident_bytes, proportional_bytes, resident_bytes
from bench.common.report import Report, percentile
from bench.common.services import Service, edge_settings, running, wait_until_linked

_NODE = "n1"
_RSS_MB = {"css": 80, "ess": 60}
_LONGEST_START_SECONDS = 1.0


class _Start(NamedTuple):
    seconds: float
    #: Of the serving process, up to its first answer.
    cpu_seconds: float


def run(engine_name: str, starts: int, idle_seconds: float) -> Report:
    report = Report("footprint", engine_name)
    report.heading(f"footprint, CSS on {engine_name}")
    with (
        running_engine(engine_name) as engine,
        running("css", engine.directory / "css", engine.settings) as css,
        running("ess", engine.directory / "ess", edge_settings(_NODE, css.port)) as ess,
    ):
        wait_until_linked(css, _NODE)
        _deliver_one(css, ess)
        time.sleep(idle_seconds)
        for service in (css, ess):
            _report_memory(report, service)
        ess.stop()
        css.stop()
        for service in (css, ess):
            _measure_starts(report, service, starts)
        _measure_first_starts(report, engine.directory, css.port, min(starts, 3))
    report.save()
    return report


def _deliver_one(css: Service, ess: Service) -> None:
    """An object travels before the measurement: what is loaded at first use should be loaded."""
    with css.connection() as cloud, ess.connection() as edge:
        cloud.ask(client.put_object("weight", "w", os.urandom(1024), destinationType=client.NODE_TYPE))
        while edge.ask(build("GET", "/api/v1/objects/weight")).status != 200:
            time.sleep(0.02)
        edge.ask(build("PUT", client.object_path("weight", "w", "consumed", has_org=False)))


def _report_memory(report: Report, service: Service) -> None:
    name, pid = service.program, service.pid
    report.add(f"{name}: idle RSS", resident_bytes(pid) / 1e6, "MB", at_most=_RSS_MB[name])
    report.add(f"{name}: idle PSS", proportional_bytes(pid) / 1e6, "MB")
    report.add(f"{name}: peak RSS", peak_resident_bytes(pid) / 1e6, "MB")


def _measure_starts(report: Report, service: Service, starts: int) -> None:
    """Starts on existing state, with the bytecode cache of a machine that has run it before, and without any."""
    with tempfile.TemporaryDirectory(prefix="edgesync-bytecode-") as cache:
        environment = {"PYTHONPYCACHEPREFIX": cache}
        cold = _start_once(service, environment)
        warm = [_start_once(service, environment) for _ in range(starts)]
    name = service.program
    median = percentile([start.seconds for start in warm], 50)
    report.add(f"{name}: start to first answer, median of {starts}", median, "s", at_most=_LONGEST_START_SECONDS)
    report.add(f"{name}: the same, longest", max(start.seconds for start in warm), "s")
    report.add(f"{name}: the same, CPU", percentile([start.cpu_seconds for start in warm], 50), "CPU-s")
    report.add(f"{name}: the same, nothing compiled, not even the libraries", cold.seconds, "s")


def _measure_first_starts(report: Report, directory: Path, css_port: int, starts: int) -> None:
    """Starts that create the database, on SQLite."""
    for program, settings in (("css", []), ("ess", edge_settings(_NODE, css_port))):
        fresh = [
            _start_once(Service(program, directory / f"fresh-{program}-{number}", settings)).seconds
            for number in range(starts)
        ]
        what = f"{program}: first start, which creates a SQLite database, median of {starts}"
        report.add(what, percentile(fresh, 50), "s")


def _start_once(service: Service, environment: dict[str, str] | None = None) -> _Start:
    try:
        seconds = service.start(environment)
        return _Start(seconds, cpu_seconds(service.pid))
    finally:
        service.stop()


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--idle-seconds", type=float, default=10.0)
    options = parser.parse_args()
    run(options.engine, options.starts, options.idle_seconds)


if __name__ == "__main__":
    main()
