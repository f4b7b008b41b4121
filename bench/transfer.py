"""Large objects: up to a CSS, down from it, on to an ESS and out of it; CPU and memory of both services.

    python -m bench.transfer [--engine sqlite|postgres] [--payload-store auto|files|postgres] [--megabytes 100,1000,2000]

Each size runs in fresh processes, so that their peak memory belongs to it. Sizes are in units of 10^6 bytes.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from bench.common import baselines, client
from bench.common.client import Connection, build
from bench.common.command_line import numbers, parser_of
from bench.common.engines import Engine, running_engine
from bench.common.processes import CpuMeter, peak_resident_bytes
from bench.common.report import Report, percentile
from bench.common.services import Service, edge_settings, running, wait_until_linked
from common.runtime.intake import FLUSH_EVERY_BYTES

_NODE = "n1"
_TYPE = "large"
#: Each look costs the ESS a millisecond of CPU, which is not what is measured.
_LOOK_SECONDS = 0.025
_BASELINE_RUNS = 3
_DELIVERY_SECONDS = 300.0
#: The size the targets for speed are about; smaller ones are dominated by fixed costs.
_TARGETED_MEGABYTES = 1000
_PEAK_MB = {"css": 120, "ess": 90}


def run(engine_name: str, sizes_megabytes: list[int], payload_store: str = "auto") -> Report:
    report = Report("transfer", engine_name)
    with running_engine(engine_name) as engine:
        source = engine.directory / "source"
        for megabytes in sizes_megabytes:
            _write_random(source, megabytes * 1_000_000)
            report.heading(f"{megabytes} MB, CSS on {engine_name}, payload store {payload_store}")
            _measure(report, engine, payload_store, source, megabytes)
    report.save()
    return report


def _measure(report: Report, engine: Engine, payload_store: str, source: Path, megabytes: int) -> None:
    # The database outlives the services of one size; their directories do not need to.
    places = engine.directory / f"css-{megabytes}", engine.directory / f"ess-{megabytes}"
    with (
        running("css", places[0], [*engine.settings, f"PayloadStore {payload_store}"]) as css,
        running("ess", places[1], edge_settings(_NODE, css.port)) as ess,
    ):
        wait_until_linked(css, _NODE)
        _Transfer(report, engine, css, ess, source, f"x{megabytes}").run(is_targeted=megabytes >= _TARGETED_MEGABYTES)
        for service in (css, ess):
            peak = peak_resident_bytes(service.pid) / 1e6
            report.add(f"{service.program}: peak RSS", peak, "MB", at_most=_PEAK_MB[service.program])


class _Transfer:
    """One object's way, measured step by step."""

    def __init__(
        self, report: Report, engine: Engine, css: Service, ess: Service, source: Path, object_id: str
    ) -> None:
        self._report = report
        self._css = css
        self._ess = ess
        self._source = source
        self._object_id = object_id
        self._scratch = engine.directory / "scratch"
        self._gigabytes = source.stat().st_size / 1e9
        self._server_pids = engine.server_pids

    def run(self, *, is_targeted: bool) -> None:
        write = _median(lambda: baselines.durable_write(self._source, self._scratch))
        flushed = _median(lambda: baselines.durable_write(self._source, self._scratch, FLUSH_EVERY_BYTES))
        copy = _median(lambda: baselines.raw_copy(self._source, self._scratch))
        loopback = _median(lambda: baselines.loopback_copy(self._source))
        self._rate("baseline: durable write, one flush at the end", write)
        self._rate("baseline: durable write, a flush each 8 MiB", flushed)
        self._rate("baseline: copy on disk, durable", copy)
        self._rate("baseline: copy through a loopback connection", loopback)
        self._upload(write, is_targeted=is_targeted)
        self._deliver(max(copy, loopback), is_targeted=is_targeted)
        self._download(self._css, has_org=True, is_targeted=is_targeted)
        self._download(self._ess, has_org=False, is_targeted=is_targeted)

    def _upload(self, write_seconds: float, *, is_targeted: bool) -> None:
        """Without a destination, so that nothing else goes on."""
        with self._css.connection() as cloud:
            cloud.ask(client.put_object(_TYPE, f"{self._object_id}-up", destinationType="nobody"))
            path = client.object_path(_TYPE, f"{self._object_id}-up", "data")
            seconds, cpu, server_cpu = self._timed(lambda: cloud.send_file(path, self._source), self._css)
            self._rate("upload to the CSS", seconds)
            self._target("upload: rate / durable write", write_seconds / seconds, "x", at_least=0.7, when=is_targeted)
            self._target("upload: CPU of the CSS", cpu / self._gigabytes, "CPU-s/GB", at_most=2.3, when=is_targeted)
            if server_cpu:
                self._report.add("upload: CPU of the database server", server_cpu / self._gigabytes, "CPU-s/GB")
            cloud.ask(build("DELETE", client.object_path(_TYPE, f"{self._object_id}-up")))

    def _deliver(self, raw_seconds: float, *, is_targeted: bool) -> None:
        """From the acknowledged upload to the whole, verified object being readable on the edge."""
        with self._css.connection() as cloud, self._ess.connection() as edge:
            cloud.ask(client.put_object(_TYPE, self._object_id, destinationType="parked"))
            cloud.send_file(client.object_path(_TYPE, self._object_id, "data"), self._source)
            addressed = client.put_object(_TYPE, self._object_id, destinationType=client.NODE_TYPE, metaOnly=True)

            def deliver() -> None:
                cloud.ask(addressed)
                self._wait_for_delivery(edge)

            seconds, cpu, server_cpu = self._timed(deliver, self._css, self._ess)
        self._rate("delivery to the ESS, visible and verified", seconds)
        self._target("delivery: time / slower raw copy", seconds / raw_seconds, "x", at_most=2, when=is_targeted)
        self._report.add("delivery: CPU of CSS and ESS", cpu / self._gigabytes, "CPU-s/GB")
        if server_cpu:
            self._report.add("delivery: CPU of the database server", server_cpu / self._gigabytes, "CPU-s/GB")

    def _wait_for_delivery(self, edge: Connection) -> None:
        status = build("GET", client.object_path(_TYPE, self._object_id, "status", has_org=False))
        deadline = time.monotonic() + _DELIVERY_SECONDS
        while edge.ask(status).body != b"completelyReceived":
            if time.monotonic() > deadline:
                raise TimeoutError("the object did not arrive")
            time.sleep(_LOOK_SECONDS)

    def _download(self, service: Service, *, has_org: bool, is_targeted: bool) -> None:
        request = build("GET", client.object_path(_TYPE, self._object_id, "data", has_org=has_org))
        name = service.program.upper()
        with service.connection() as connection:
            seconds, cpu, server_cpu = self._timed(lambda: connection.receive(request), service)
            rate = self._gigabytes * 1e3 / seconds
            self._target(f"download from the {name}", rate, "MB/s", at_least=700, when=is_targeted)
            self._target(
                f"download: CPU of the {name}", cpu / self._gigabytes, "CPU-s/GB", at_most=0.7, when=is_targeted
            )
            if server_cpu and has_org:
                self._report.add("download: CPU of the database server", server_cpu / self._gigabytes, "CPU-s/GB")
        if _digest_of_download(service, request) != _digest_of_file(self._source):
            raise AssertionError(f"the {name} served other bytes")

    def _timed(self, work: Callable[[], object], *services: Service) -> tuple[float, float, float]:
        """Seconds of time, of CPU in the services, of CPU in the database server."""
        cpu, server_cpu = CpuMeter(lambda: [service.pid for service in services]), CpuMeter(self._server_pids)
        started = time.perf_counter()
        work()
        return time.perf_counter() - started, cpu.spent_seconds(), server_cpu.spent_seconds()

    def _rate(self, what: str, seconds: float) -> None:
        self._report.add(what, self._gigabytes * 1e3 / seconds, "MB/s")

    def _target(
        self,
        what: str,
        value: float,
        unit: str,
        *,
        when: bool,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        self._report.add(what, value, unit, at_most=at_most if when else None, at_least=at_least if when else None)


def _median(measure: Callable[[], float]) -> float:
    return percentile([measure() for _ in range(_BASELINE_RUNS)], 50)


def _write_random(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for start in range(0, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - start)))
    # What is still on its way to the disk would slow down what is measured next.
    os.sync()


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of_download(service: Service, request: bytes) -> str:
    """In a pass of its own: hashing would slow the measured one down."""
    hasher = hashlib.sha256()
    with service.connection() as connection:
        connection.receive(request, hasher.update)
    return hasher.hexdigest()


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--megabytes", type=numbers, default="100,1000,2000")
    parser.add_argument("--payload-store", choices=("auto", "files", "postgres"), default="auto")
    options = parser.parse_args()
    run(options.engine, options.megabytes, options.payload_store)


if __name__ == "__main__":
    main()
